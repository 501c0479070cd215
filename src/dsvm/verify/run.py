"""verify: machine + checks -> report."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dsvm.catalog.model import Tool
from dsvm.errors import DsvmError, UsageError
from dsvm.machines.machine import MACHINE, Machine
from dsvm.machines.parts import applied
from dsvm.progress import Progress
from dsvm.store import binary_size
from dsvm.verify.machine_checks import machine_jobs
from dsvm.verify.model import CheckResult, Report, Summary
from dsvm.verify.reports import save
from dsvm.verify.schedule import Job, run_jobs
from dsvm.verify.scratch import scratch
from dsvm.verify.setting import Setting
from dsvm.verify.tool_checks import jobs_of


@dataclass(frozen=True)
class _Asked:
    """What of the machine is to be proven, and how thoroughly: see `verify`."""

    only: Sequence[str]
    full: bool
    examples: bool


def verify(
    machine: Machine,
    tools: Sequence[Tool],
    *,
    only: Sequence[str] = (),
    full: bool = False,
    examples: bool = False,
    progress: Progress,
) -> Report:
    """Run the checks of `tools` (all of the machine's) inside the machine; write the report.

    `only` names the tools to prove; `machine` stands for the checks of the machine as a whole;
    empty means all. `full` reads every file of the OS packages and the image disk again, not only
    what shows a sign of change; it is a check of the machine. `examples` also runs the example of
    each tool's page.
    The report is left below `machine.reports`. A machine that is not reached gives a report too,
    in which that is what failed. Raises `UsageError` for an unknown name.
    """
    _known(only, tools)
    asked = _Asked(only, full, examples)
    begin, at = time.monotonic(), datetime.now(UTC)
    changes: list[str] = []
    about = _about(machine)
    try:
        reached = True
        checks = _proven(machine, tools, asked, progress, changes, about)
    except DsvmError as lost:
        checks, reached = [_unreached(lost, time.monotonic() - begin)], False
    report = Report(
        machine=machine.name,
        at=at.isoformat(timespec="milliseconds"),
        engine=machine.record.engine,
        summary=Summary.of(checks),
        checks=tuple(checks),
        changes=tuple(sorted(changes)),
        notes=machine.record.notes,
        scope=tuple(only),
        full=full,
        reached=reached,
        about=about,
        seconds=round(time.monotonic() - begin, 2),
    )
    save(report, machine.reports)
    return report


def _proven(
    machine: Machine,
    tools: Sequence[Tool],
    asked: _Asked,
    progress: Progress,
    changes: list[str],
    about: dict[str, str],
) -> list[CheckResult]:
    wanted = [tool for tool in tools if not asked.only or tool.name in asked.only]
    with scratch(machine.ssh, wanted) as place:
        absent = machine.record.lock.unreachable
        present = [tool for tool in wanted if tool.name not in absent]
        sleepers = [s.name for tool in present for s in tool.services if s.at_first_use]
        start = place.ask("start", *(f"{name}.service" for name in sleepers))
        setting = Setting(machine, tools, place, start)
        about.update(system=setting.start["os"], kernel=setting.start["kernel"])
        jobs = list(_jobs(setting, wanted, asked, changes))
        return run_jobs(jobs, cpus=setting.cpus, memory=setting.memory, progress=progress)


def _jobs(
    setting: Setting,
    wanted: Sequence[Tool],
    asked: _Asked,
    changes: list[str],
) -> Iterator[Job]:
    for tool in wanted:
        yield from jobs_of(tool, setting, example=asked.examples)
    if not asked.only or MACHINE in asked.only:
        yield from machine_jobs(setting, asked.full, changes)


def _known(only: Sequence[str], tools: Sequence[Tool]) -> None:
    names = [tool.name for tool in tools]
    for name in only:
        if name not in names and name != MACHINE:
            raise UsageError(
                f"tool `{name}` is not in this machine",
                remedy=f"it has {', '.join([*names, MACHINE])}",
            )


def _about(machine: Machine) -> dict[str, str]:
    record = machine.record
    size = record.size
    return {
        "base": applied(record).base,
        "image": record.image.id[:16],
        "accelerator": record.accelerator,
        "CPUs": str(size.cpus),
        "memory": binary_size(size.memory),
        "layers": str(len(record.layers)),
        "OS packages locked": str(len(record.lock.os.packages)),
    }


def _unreached(lost: DsvmError, seconds: float) -> CheckResult:
    """The machine did not answer, or not as a machine does: that is the one thing proven."""
    return CheckResult(
        tool=MACHINE,
        check="reached over SSH",
        outcome="failed",
        reason=f"{lost.what}: {lost.cause}" if lost.cause else lost.what,
        seconds=round(seconds, 3),
    )
