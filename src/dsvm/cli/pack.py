"""pack unpack: a machine as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dsvm.cli import complete
from dsvm.cli.call import Call, command

SUFFIX = ".dsvm"


def register(app: typer.Typer) -> None:
    command(app, json=True)(pack)
    command(app, json=True)(unpack)


def pack(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", autocompletion=complete.machines)],
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help=f"Default: NAME{SUFFIX} here.")
    ] = None,
    thin: Annotated[
        bool,
        typer.Option("--thin", help="Without image and layers: the other side has or builds them."),
    ] = False,
) -> None:
    """Write a machine to a file that `dsvm unpack` makes a machine of, on any computer.

    It holds all that was written inside, so keep it as you keep the machine; keys and tokens of
    dsvm are not in it. A running machine is packed from a snapshot and runs on.
    """
    from dsvm.console import size
    from dsvm.machines.naming import resolve
    from dsvm.machines.pack import pack as write

    meant = resolve(name, Path.cwd())
    target = (file or Path(f"{meant}{SUFFIX}")).absolute()
    if target.exists():
        call.confirm(f"replace {target}?")
    done = write(call.home, meant, target, thin=thin, progress=call.progress)
    if call.json:
        call.console.json(done.json())
        return
    call.console.data(str(done.file))
    call.console.say(f"{size(done.bytes)}: `dsvm unpack {target.name}` makes {meant} of it")
    if done.snapshot:
        call.console.say(f"it is {meant} as of snapshot {done.snapshot}, which stays")
    if done.left:
        call.console.say(f"snapshots that were taken before stay here: {done.left}")


def unpack(
    call: Call,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `dsvm pack` wrote.")],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Another name for the machine.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder", metavar="FOLDER", help="Where its dsvm.toml goes; default: ./NAME."
        ),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            metavar="ENGINE",
            help="What runs the machine; `auto` takes the best.",
            autocompletion=complete.engines,
        ),
    ] = "auto",
) -> None:
    """Make the machine that a file of `dsvm pack` holds, with new keys, tokens and ports.

    It is stopped, its dsvm.toml and dsvm.lock lie in the folder. Unpack what you trust: programs
    in it run as soon as the machine does, shut in as any machine is.
    """
    from dsvm.host.prepare import prepare
    from dsvm.machines.naming import resolve
    from dsvm.machines.unpack import unpack as read

    if name:
        resolve(name, Path.cwd())
    prepare(engine, call.home, call.progress, agree=call.agree)
    done = read(
        call.home,
        file,
        name=name,
        folder=folder,
        engine=engine,
        confirm=call.confirm,
        progress=call.progress,
    )
    if call.json:
        call.console.json(done.json())
        return
    machine = done.machine
    call.console.data(machine.name)
    if done.missing:
        call.console.say(f"layers that are not here: {', '.join(done.missing)}")
        call.console.say(f"`dsvm up` in {machine.record.folder} builds them from the lock")
    else:
        call.console.say(f"`dsvm start {machine.name}` starts it")
