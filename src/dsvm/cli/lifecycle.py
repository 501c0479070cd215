"""up add start stop rm ls: a machine's life."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dsvm.cli import complete
from dsvm.cli.call import Call, NameArgument, command

if TYPE_CHECKING:
    from dsvm.machines.listing import Row

LS_COLUMNS = ["name", "state", "engine", "size", "up", "checks", "notes"]


def register(app: typer.Typer) -> None:
    command(app, json=True)(up)
    command(app, json=True)(add)
    command(app, json=True)(ls)
    command(app)(start)
    command(app)(stop)
    command(app)(rm)


def up(
    call: Call,
    engine: Annotated[
        str,
        typer.Option(
            metavar="ENGINE",
            help="What runs the machine; `auto` takes the best, and keeps what it has.",
            autocompletion=complete.engines,
        ),
    ] = "auto",
    size: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Write this size into dsvm.toml first; `dsvm sizes` lists them.",
            autocompletion=complete.sizes,
        ),
    ] = None,
) -> int:
    """Make the machine of dsvm.toml: lock, build, start, prove; apply what changed.

    Without a dsvm.toml here or in a parent folder a first one is written.
    """
    from dsvm.cli.definition import write_definition
    from dsvm.definition import find

    path = find(Path.cwd()) or write_definition(call, Path.cwd())
    if size is not None:
        _write_size(call, path, size)
    return bring_up(call, path, engine)


def _write_size(call: Call, path: Path, name: str) -> None:
    from dsvm.definition import this_host
    from dsvm.definition.edit import replace_text, set_size
    from dsvm.definition.faults import read_text
    from dsvm.definition.model import SizeDefinition
    from dsvm.machines.size import choose_size
    from dsvm.sizes.wish import wish_named

    keys = wish_named(call.home, name, path).keys()
    choose_size(SizeDefinition.model_validate(keys), this_host())
    replace_text(path, set_size(read_text(path, path.name), keys))


def add(
    call: Call,
    tools: Annotated[
        list[str],
        typer.Argument(
            metavar="TOOL...",
            help="Tools to add; `dsvm tools` lists them.",
            autocompletion=complete.tools,
        ),
    ],
) -> int:
    """Add tools to dsvm.toml and apply that to the machine."""
    from dsvm.cli.definition import catalog_here, definition_path
    from dsvm.definition.edit import add_tools

    path = definition_path()
    catalog = catalog_here()
    for tool in tools:
        catalog.tool(tool)
    add_tools(path, tools)
    return bring_up(call, path, "auto")


def bring_up(call: Call, path: Path, engine: str) -> int:
    """`up` of one definition, with its summary; returns the exit code."""
    from dsvm.cli.prove import prove
    from dsvm.cli.summary import done
    from dsvm.host.prepare import prepare
    from dsvm.machines.up import up as bring

    prepare(engine, call.home, call.progress, agree=call.agree)
    result = bring(
        path,
        call.home,
        progress=call.progress,
        prove=prove(call),
        confirm=call.confirm,
        engine=engine,
    )
    return done(call, result)


def ls(call: Call) -> None:
    """All machines, as their engines see them now."""
    from dsvm.machines.listing import rows

    found = rows(call.home)
    if call.json:
        call.console.json([row.json() for row in found])
    elif found:
        call.console.table([_shown(row) for row in found], LS_COLUMNS)
    else:
        call.console.say("no machine yet: `dsvm up` makes the one of your dsvm.toml")


def start(
    call: Call,
    name: NameArgument = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="ENGINE",
            help="What runs it from now on; the disk is the same for all.",
            autocompletion=complete.engines,
        ),
    ] = None,
) -> None:
    """Start a stopped machine."""
    from dsvm.host.prepare import prepare
    from dsvm.machines import lifecycle
    from dsvm.machines.naming import resolve

    meant = resolve(name, Path.cwd())
    if engine:
        prepare(engine, call.home, call.progress, agree=call.agree)
    machine = lifecycle.start(call.home, meant, progress=call.progress, engine=engine)
    call.console.say(f"{machine.name} runs: `dsvm ssh {machine.name}`")


def stop(call: Call, name: NameArgument = None) -> None:
    """Stop a machine; its disk stays."""
    from dsvm.machines import lifecycle
    from dsvm.machines.naming import resolve

    meant = resolve(name, Path.cwd())
    ran = lifecycle.stop(call.home, meant)
    call.console.say(f"{meant} is stopped" if ran else f"{meant} was not running")


def rm(call: Call, name: NameArgument = None) -> None:
    """Stop a machine and remove it, with all files in it."""
    from dsvm.machines import lifecycle
    from dsvm.machines.naming import resolve
    from dsvm.machines.state import Machines

    meant = resolve(name, Path.cwd())
    if Machines(call.home).find(meant):
        call.confirm(f"remove machine `{meant}` and all files in it?")
    lifecycle.rm(call.home, meant)
    call.console.say(f"{meant} is removed; what it shared stays in the store until `dsvm gc`")


def _shown(row: Row) -> dict[str, str]:
    from dsvm.console import size, span

    checks = ""
    if row.report:
        counts = row.report.summary
        checks = f"{counts['passed']} passed, {counts['failed']} failed"
    return {
        "name": row.name,
        "state": row.state,
        "engine": row.engine,
        "size": f"{row.size.cpus} CPU, {size(row.size.memory)}",
        "up": "" if row.uptime is None else span(row.uptime),
        "checks": checks,
        "notes": "\n".join(row.notes),
    }
