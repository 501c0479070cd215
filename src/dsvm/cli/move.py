"""resize update: a machine becomes another one, on the same disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dsvm.cli import complete
from dsvm.cli.call import Call, NameArgument, command

if TYPE_CHECKING:
    from dsvm.machines.resize import Plan


def register(app: typer.Typer) -> None:
    command(app, json=True)(resize)
    command(app, json=True)(update)


def resize(
    call: Call,
    name: NameArgument = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="CPUs, memory and accelerator of this size; `dsvm sizes` lists them.",
            autocompletion=complete.sizes,
        ),
    ] = None,
    cpus: Annotated[int | None, typer.Option(metavar="N", min=1, help="Number of CPUs.")] = None,
    memory: Annotated[str | None, typer.Option(metavar="SIZE", help="As in `8G`.")] = None,
    disk: Annotated[
        str | None, typer.Option(metavar="SIZE", help="How far the disk may grow, as in `80G`.")
    ] = None,
    accelerator: Annotated[
        str | None, typer.Option(metavar="KIND", help="auto, cpu or nvidia.")
    ] = None,
    gpu: Annotated[
        bool | None,
        typer.Option("--gpu/--no-gpu", help="As --accelerator nvidia, --accelerator cpu."),
    ] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DEVICE",
            help="A device of the host for it, as in `nvidia.com/gpu=0`; may be repeated; `none`.",
        ),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            metavar="ENGINE",
            help="What runs it from now on.",
            autocompletion=complete.engines,
        ),
    ] = "auto",
    plan: Annotated[bool, typer.Option("--plan", help="Only look, and tell.")] = False,
) -> int:
    """Give a machine another size, accelerator or engine; its disk is the same.

    The plan is shown first. A snapshot is taken, the tools that the change touches are proven, and
    if anything fails the machine is put back to what it was.
    """
    from dsvm.errors import UsageError
    from dsvm.host.prepare import prepare
    from dsvm.machines import resize as room
    from dsvm.machines.folder import Files
    from dsvm.machines.naming import resolve
    from dsvm.machines.state import Machines
    from dsvm.sizes.wish import wish_named

    if gpu is not None:
        if accelerator:
            raise UsageError("--gpu and --accelerator say the same", remedy="leave one out")
        accelerator = "nvidia" if gpu else "cpu"
    meant = resolve(name, Path.cwd())
    if size is not None:
        if cpus or memory or accelerator:
            raise UsageError("--size says CPUs, memory and accelerator", remedy="leave them out")
        told = wish_named(call.home, size, Files.of(Machines(call.home).get(meant)).path)
        cpus, memory, accelerator = told.cpus, told.memory, told.accelerator
    devices = None if not device else () if device == ["none"] else tuple(device)
    wanted = room.Wanted(cpus, memory, disk, accelerator, devices, engine)
    if wanted == room.Wanted():
        raise UsageError("no new size is named", remedy="dsvm resize --cpus 4 --memory 16G")
    if engine != "auto":
        prepare(engine, call.home, call.progress, agree=call.agree)
    found = room.plan_resize(call.home, meant, wanted, call.progress)
    if not call.json:
        for line in _lines(found):
            call.console.say(line)
    if plan or not found.changes:
        if call.json:
            call.console.json(found.json())
        return 0
    from dsvm.cli.prove import prove
    from dsvm.cli.summary import done

    result, snapshot = room.resize(
        call.home,
        meant,
        wanted,
        progress=call.progress,
        prove=prove(call),
        confirm=call.confirm,
    )
    return done(call, result, snapshot)


def update(
    call: Call,
    name: NameArgument = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            *("--only", "-o"),
            metavar="TOOL",
            help="Only this tool, environment or package; may be repeated.",
            autocompletion=complete.tools,
        ),
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only look, and tell.")] = False,
) -> int:
    """Move a machine to newer versions; its files stay.

    A snapshot is taken first. What the change touches is proven; if anything fails the machine is
    put back to what it was.
    """
    from dsvm.cli.prove import prove
    from dsvm.cli.summary import done
    from dsvm.machines import update as room
    from dsvm.machines.naming import resolve

    meant = resolve(name, Path.cwd())
    found = room.newer(call.home, meant, only or (), call.progress)
    if not call.json:
        for change in found.changes:
            call.console.data(change)
        if not found.changes:
            call.console.say(f"{meant} has the newest of all")
    if plan or not found.changes:
        if call.json:
            call.console.json({"changes": list(found.changes)})
        return 0
    result, snapshot = room.update(
        call.home, meant, found, progress=call.progress, prove=prove(call), confirm=call.confirm
    )
    return done(call, result, snapshot)


def _lines(plan: Plan) -> list[str]:
    from dsvm.console import span

    if not plan.changes:
        return [f"{plan.machine} is of that size already"]
    proof = ", ".join(plan.proves)
    took = f" ({span(plan.seconds)} of checks when last run)" if plan.seconds else ""
    lines = [f"{plan.machine}: {change}" for change in plan.changes]
    lines.append(f"  kept: {plan.kept}")
    lines += [f"  restarts: {why}" for why in plan.restart]
    lines += [f"  that ends: {work}" for work in plan.ends]
    lines += [f"  goes on after it, started again: {run}" for run in plan.resumes]
    lines += [f"  mind: {risk}" for risk in plan.could_fail]
    return [*lines, f"  proven after it: {proof}{took}", "  if it fails: put back as it is now"]
