"""Run lessons on a machine, as its checks run; keep what came of each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from dsvm.definition.sizes import parse_bytes
from dsvm.errors import DsvmError
from dsvm.learn.gallery_page import gallery
from dsvm.learn.model import Lesson
from dsvm.learn.shelf import Ran, Shelf
from dsvm.machines.machine import Machine
from dsvm.progress import Progress
from dsvm.verify.model import CheckResult
from dsvm.verify.schedule import Job, run_jobs
from dsvm.verify.scratch import scratch
from dsvm.verify.setting import Setting
from dsvm.verify.tool_checks import check_of
from dsvm.whole import write_whole


def lacking(machine: Machine, lesson: Lesson) -> list[str]:
    """The tools that it needs and the machine has not, those of its models among them."""
    return [tool for tool in lesson.needs if tool not in machine.record.tools]


def run(machine: Machine, lessons: Sequence[Lesson], progress: Progress) -> list[Ran]:
    """Run them, one after the other: each may use all of the machine. Raises `DsvmError` for one
    whose tools are not there, and when the machine is not reached."""
    for one in lessons:
        if missing := lacking(machine, one):
            raise DsvmError(
                f"lesson `{one.name}` needs {', '.join(missing)}",
                remedy=one.adding(missing),
            )
    shelf = Shelf.of(machine)
    with scratch(machine.ssh, lessons) as place:
        setting = Setting(machine, (), place, place.ask("start"))
        jobs = [
            Job(
                one.name,
                partial(check_of, one, one.check, one.name, setting),
                memory=parse_bytes(one.memory),
                cpus=setting.cpus,
            )
            for one in lessons
        ]
        results = run_jobs(
            jobs,
            cpus=setting.cpus,
            memory=setting.memory,
            progress=progress,
            what=("running", "lessons"),
        )
    found = [_ran(one, result) for one, result in zip(lessons, results, strict=True)]
    for ran in found:
        shelf.keep(ran)
    write_whole(shelf.page, gallery(machine.name, machine.record.tools, shelf.all()).encode())
    return found


def _ran(lesson: Lesson, result: CheckResult) -> Ran:
    outcome, reason = result.outcome, result.reason
    if outcome == "passed" and (fault := lesson.fault(result.measurements)):
        outcome, reason = "failed", fault
    return Ran(
        name=lesson.name,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        outcome=outcome,
        reason=reason,
        device=result.device,
        seconds=result.seconds,
        results=result.measurements,
        figures=result.figures,
    )
