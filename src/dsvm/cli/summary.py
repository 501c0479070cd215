"""What `up` says when it is done: how to work in the machine, and what was proven."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsvm.cli.inside import forwarding

if TYPE_CHECKING:
    from dsvm.cli.call import Call
    from dsvm.machines.reports import LastReport
    from dsvm.machines.up import UpResult


def done(call: Call, result: UpResult, snapshot: str | None = None) -> int:
    """Tell it, with the way back if it began with a snapshot; returns the exit code."""
    from dsvm.cli.prove import CHECK_FAILED

    if call.json:
        call.console.json({**result.json(), **({"snapshot": snapshot} if snapshot else {})})
    else:
        for line in summary(result):
            call.console.data(line)
        if snapshot:
            call.console.say(
                f"`dsvm restore {result.machine.name} {snapshot}` brings back what it was"
            )
    return CHECK_FAILED if result.last and result.last.summary.get("failed") else 0


def summary(result: UpResult) -> list[str]:
    """The lines, most wanted first."""
    from dsvm.machines.pages import pages

    machine = result.machine
    state = "was running already" if result.unchanged else "runs"
    lines = [f"{machine.name} {state} ({result.engine}, {result.accelerator}{_took(result)})"]
    lines += [f"  changed: {change}" for change in (*result.lock_changes, *result.changes)]
    for name, page in pages(machine).items():
        lines.append(f"  {name}: {page.url}")
        lines += [f"    {line}" for line in forwarding(page.url)]
    lines.append(f"  shell: dsvm ssh {machine.name}")
    lines += [f"  note: {note}" for note in machine.record.notes]
    return [*lines, *_proven(result.last)]


def _took(result: UpResult) -> str:
    from dsvm.console import span

    total = sum(result.seconds.values())
    return f", {span(total)}" if total else ""


def _proven(report: LastReport | None) -> list[str]:
    if report is None:
        return []
    counts = report.summary
    said = (
        f"{counts['passed']} passed, {counts['failed']} failed, {counts['not_tested']} not tested"
    )
    page = report.path.with_suffix(".html")
    return [f"  checks: {said}", f"  report: {page if page.exists() else report.path}"]
