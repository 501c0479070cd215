"""runs, and `run --resumable`: commands that go on after a restart of their machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from dsvm.cli.call import Call, NameArgument, command, machine_meant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsvm.machines.machine import Machine
    from dsvm.machines.runs import Run

STOPPED = 130
COLUMNS = ("RUN", "STATE", "STARTS", "BEGAN", "COMMAND")


def register(app: typer.Typer) -> None:
    command(app, json=True)(runs)


def runs(
    call: Call,
    name: NameArgument = None,
    follow: Annotated[
        int | None,
        typer.Option("--follow", "-f", metavar="N", help="What run N writes, until it is over."),
    ] = None,
    stop: Annotated[
        int | None, typer.Option("--stop", metavar="N", help="End run N for good.")
    ] = None,
) -> int:
    """The runs of a machine that go on after a restart: see `dsvm run --resumable`."""
    from dsvm.machines import runs as room

    machine = machine_meant(call, name)
    if stop is not None:
        room.stop(machine, stop)
        call.console.say(f"run {stop} of {machine.name} is stopped; its files stay")
        return 0
    if follow is not None:
        return followed(call, machine, follow)
    found = room.runs(machine)
    if call.json:
        call.console.json([one.json() for one in found])
        return 0
    if not found:
        call.console.say(f"{machine.name} has none; `dsvm run --resumable -- CMD` starts one")
    else:
        call.console.table([_row(one) for one in found], COLUMNS)
    return 0


def begin(call: Call, machine: Machine, argv: Sequence[str], *, detach: bool) -> int:
    """Start one and, unless `detach`, follow it: its exit status is then ours."""
    from dsvm.machines import runs as room

    number = room.begin(machine, argv)
    call.console.say(
        f"run {number} of {machine.name}: `dsvm runs {machine.name} --follow {number}`"
    )
    return 0 if detach else followed(call, machine, number)


def followed(call: Call, machine: Machine, number: int) -> int:
    """Show a run to its end; Ctrl-C ends only the looking."""
    from dsvm.machines import runs as room
    from dsvm.machines.state import Machines

    say = call.console.say
    try:
        out = sys.stdout.buffer
        done = room.follow(Machines(call.home), machine.name, number, out, say)
    except KeyboardInterrupt:
        say(f"run {number} goes on; `dsvm runs {machine.name} --stop {number}` ends it")
        raise
    return STOPPED if done.status is None else done.status


def _row(one: Run) -> dict[str, str]:
    return {
        "RUN": str(one.number),
        "STATE": one.state if one.status is None else f"{one.state}: {one.status}",
        "STARTS": str(one.starts),
        "BEGAN": f"{one.began.astimezone():%Y-%m-%d %H:%M}",
        "COMMAND": one.words,
    }
