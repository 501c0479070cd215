"""snapshot snapshots restore: a machine's past."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dsvm.cli.call import Call, NameArgument, command, machine_meant

if TYPE_CHECKING:
    from dsvm.machines.snapshots import Snapshot

COLUMNS = ["snapshot", "taken", "space", "frees", "note"]


def register(app: typer.Typer) -> None:
    command(app, json=True)(snapshot)
    command(app, json=True)(snapshots)
    command(app)(restore)


def snapshot(
    call: Call,
    name: NameArgument = None,
    note: Annotated[
        str, typer.Option(metavar="TEXT", help="What it is for, shown by `dsvm snapshots`.")
    ] = "",
) -> None:
    """Keep the machine as it is now: disk, lock and layers. It goes on running."""
    from dsvm.machines.snapshots import take

    machine = machine_meant(call, name)
    taken = take(call.home, machine.name, note)
    if call.json:
        call.console.json(taken.json())
        return
    call.console.data(taken.record.id)
    call.console.say(f"`dsvm restore {machine.name} {taken.record.id}` brings it back")


def snapshots(
    call: Call,
    name: NameArgument = None,
    remove: Annotated[
        str | None,
        typer.Option(
            "--remove", metavar="SNAPSHOT", help="Drop this one; the machine must not run."
        ),
    ] = None,
) -> None:
    """The snapshots of a machine, the space each takes, and what removing it would free."""
    from dsvm.machines import snapshots as room

    machine = machine_meant(call, name)
    if remove:
        call.confirm(f"remove snapshot `{remove}` of `{machine.name}`?")
        room.remove(call.home, machine.name, remove)
    found = room.snapshots(machine)
    if call.json:
        call.console.json([one.json() for one in found])
    elif found:
        call.console.table([_shown(one) for one in found], COLUMNS)
        call.console.say(
            "space is what a snapshot takes of this disk; frees is what `--remove` gives back: "
            "the rest is needed by what came after"
        )
    else:
        call.console.say(f"no snapshot yet: `dsvm snapshot {machine.name}` takes one")


def restore(
    call: Call,
    name: Annotated[
        str,
        typer.Argument(metavar="[NAME]", help="The machine; default: the one of dsvm.toml here."),
    ],
    snapshot: Annotated[
        str | None, typer.Argument(metavar="SNAPSHOT", help="One of `dsvm snapshots`.")
    ] = None,
    discard: Annotated[
        bool, typer.Option("--discard", help="Do not keep the present as a snapshot of its own.")
    ] = False,
) -> None:
    """Make the machine what it was when the snapshot was taken."""
    from dsvm.machines.naming import resolve
    from dsvm.machines.snapshots import restore as go_back

    machine, wanted = (name, snapshot) if snapshot else (resolve(None, Path.cwd()), name)
    if discard:
        call.confirm(f"lose all that `{machine}` has written since its last snapshot?")
    kept = go_back(
        call.home,
        machine,
        wanted,
        keep=not discard,
        confirm=call.confirm,
        progress=call.progress,
    )
    call.console.say(f"{machine} is what it was at {wanted}")
    if kept:
        call.console.say(f"what it was until now is snapshot {kept.record.id}")


def _shown(one: Snapshot) -> dict[str, str]:
    from dsvm.console import size

    return {
        "snapshot": one.record.id,
        "taken": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.record.taken_at)),
        "space": size(one.bytes),
        "frees": size(one.frees),
        "note": one.record.note,
    }
