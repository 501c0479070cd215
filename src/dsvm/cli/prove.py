"""verify: every tool does its real job on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dsvm.cli import complete
from dsvm.cli.call import Call, NameArgument, command, machine_meant

if TYPE_CHECKING:
    from dsvm.catalog import Catalog
    from dsvm.catalog.model import Tool
    from dsvm.machines.machine import Machine
    from dsvm.verify.model import CheckResult, Report

CHECK_FAILED = 3
MARKS = {"passed": "ok", "failed": "FAILED", "not_tested": "not tested"}


def register(app: typer.Typer) -> None:
    command(app, json=True)(verify)


def verify(
    call: Call,
    name: NameArgument = None,
    tool: Annotated[
        list[str] | None,
        typer.Option(
            *("--tool", "-t"),
            metavar="TOOL",
            help="Only this tool; may be repeated; `machine`: the machine itself.",
            autocompletion=complete.tools,
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="Read every file of the OS packages and the image again; takes minutes."
        ),
    ] = False,
) -> int:
    """Prove the machine: run the checks of its tools, write the report."""
    from dsvm.machines.machine import MACHINE

    machine = machine_meant(call, name)
    only = tuple(dict.fromkeys([*tool, MACHINE] if tool and full else tool or []))
    report = prove(call, full=full)(machine, _tools_of(machine, only), only)
    if call.json:
        call.console.json(
            report.model_dump(mode="json", exclude={"checks": {"__all__": {"figures"}}})
        )
    else:
        _show(call, machine, report)
    return CHECK_FAILED if report.summary.failed else 0


def prove(
    call: Call, *, full: bool = False
) -> Callable[[Machine, tuple[Tool, ...], tuple[str, ...]], Report]:
    """What `up` and `verify` prove a machine with."""

    def proven(machine: Machine, tools: tuple[Tool, ...], only: tuple[str, ...]) -> Report:
        from dsvm.verify import verify as run_checks

        return run_checks(machine, tools, only=only, full=full, progress=call.progress)

    return proven


def _tools_of(machine: Machine, wanted: Sequence[str]) -> tuple[Tool, ...]:
    """The tools the machine was made with. Raises `UsageError` for a wanted one it lacks."""
    from dsvm.errors import UsageError
    from dsvm.machines.machine import MACHINE

    record = machine.record
    for name in wanted:
        if name not in (*record.tools, MACHINE):
            raise UsageError(
                f"machine `{machine.name}` has no tool `{name}`",
                remedy=f"it has {', '.join([*record.tools, MACHINE])}; `dsvm add {name}` adds one",
            )
    catalog = catalog_of(machine)
    return tuple(catalog.tool(name) for name in record.tools)


def catalog_of(machine: Machine) -> Catalog:
    """The catalog with the tool folders and the models of the machine's definition."""
    from dataclasses import replace

    from dsvm.catalog import load_catalog
    from dsvm.machines.parts import applied, on_host
    from dsvm.models.own import tools_of

    record = machine.record
    definition, folder = applied(record), Path(record.folder)
    catalog = load_catalog([on_host(path, folder) for path in definition.catalog.paths])
    return replace(catalog, tools={**catalog.tools, **tools_of(definition.models)})


def _show(call: Call, machine: Machine, report: Report) -> None:
    from dsvm.machines.reports import last_report

    call.console.table(
        [_row(check) for check in report.checks], ["", "tool", "check", "time", "why"]
    )
    for change in report.changes:
        call.console.data(f"changed by you: {change}")
    for note in report.notes:
        call.console.data(f"note: {note}")
    counts = report.summary
    call.console.data(
        f"{counts.passed} passed, {counts.failed} failed, {counts.not_tested} not tested"
    )
    last = last_report(machine)
    if last:
        call.console.say(f"report: {last.path.with_suffix('.html')}")


def _row(check: CheckResult) -> dict[str, str]:
    from dsvm.console import span

    place = " ".join(part for part in (check.environment, check.variant, check.device) if part)
    return {
        "": MARKS[check.outcome],
        "tool": check.tool,
        "check": f"{check.check} ({place})" if place else check.check,
        "time": span(check.seconds),
        "why": check.reason or "",
    }
