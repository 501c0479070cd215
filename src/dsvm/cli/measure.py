"""run --measure, and advise --history: what runs truly took, beside what was advised."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from dsvm.cli.call import Call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsvm.advise.history import Run
    from dsvm.machines.machine import Machine

COLUMNS = (
    *("WHEN", "MACHINE", "EXPECTED", "AT MOST", "TRULY", "OFF BY", "ONE STEP", "STEP TRULY"),
    "COMMAND",
)


def measured(
    call: Call, machine: Machine, argv: Sequence[str], steps: int | None, *, tty: bool
) -> int:
    """Run it, keep what it took, and tell that beside what was advised; its exit status."""
    import secrets
    import shlex
    from datetime import UTC, datetime
    from pathlib import Path

    from dsvm.advise.history import Run, Taken, keep_run, last_advice
    from dsvm.machines.ssh import RemoteFailed

    report = f"/tmp/dsvm-measure-{secrets.token_hex(8)}"
    began = datetime.now(UTC)
    words = ["dsvm-guest", "measure", report, *argv]
    call.console.close()
    status = subprocess.run(machine.ssh.argv(words, tty=tty), check=False).returncode
    try:
        told = machine.ssh.run(["sh", "-c", 'cat "$0" && rm "$0"', report]).stdout
    except RemoteFailed:  # the command could not be begun, which was told
        return status
    run = Run(
        at=began,
        machine=machine.name,
        command=shlex.join(argv),
        taken=Taken.model_validate_json(told),
        steps=steps,
        advice=last_advice(call.home, Path(machine.record.folder)),
    )
    keep_run(call.home, run)
    for line in _lines(run):
        call.console.say(line)
    return status


def history(call: Call) -> int:
    """All measured runs beside what had been advised."""
    from dsvm.advise.history import runs

    found = runs(call.home)
    if call.json:
        call.console.json([{**one.model_dump(mode="json"), "error": one.error} for one in found])
    elif found:
        call.console.table([_row(one) for one in found], COLUMNS)
    else:
        call.console.say("nothing was measured yet: dsvm run --measure -- CMD ARG...")
    return 0


def _lines(run: Run) -> list[str]:
    from dsvm.advise.answer import span
    from dsvm.console import size

    taken = run.taken
    many = f" in {taken.processes} processes" if taken.processes > 1 else ""
    lines = [f"took {span(taken.seconds)} and at most {size(taken.peak)} of memory{many}"]
    if taken.gpu_peak is not None:
        busy = f", busy {taken.gpu_busy:.0%} of the time" if taken.gpu_busy is not None else ""
        lines.append(f"of GPUs at most {size(taken.gpu_peak)} were in use{busy}")
    if run.steps and run.step_seconds:
        lines.append(f"one of {run.steps} steps took {span(run.step_seconds)}, the start counted")
    if run.advice and run.error is not None:
        where = "memory of the GPU" if run.advice.on_gpu else "memory"
        fits = "" if (run.truth or 0) <= run.advice.upper else ": more than the bound"
        lines.append(
            f"advised was {where} of {size(run.advice.expected)}, at most "
            f"{size(run.advice.upper)}; expected was {run.error:+.0%} off{fits}"
        )
    return lines


def _row(run: Run) -> dict[str, str]:
    from dsvm.advise.answer import span
    from dsvm.console import size

    advice = run.advice
    return {
        "WHEN": f"{run.at.astimezone():%Y-%m-%d %H:%M}",
        "MACHINE": run.machine,
        "EXPECTED": size(advice.expected) if advice else "-",
        "AT MOST": size(advice.upper) if advice else "-",
        "TRULY": size(run.truth) if run.truth else "-",
        "OFF BY": f"{run.error:+.0%}" if run.error is not None else "-",
        "ONE STEP": span(advice.step_seconds) if advice and advice.step_seconds else "-",
        "STEP TRULY": span(run.step_seconds) if run.step_seconds else "-",
        "COMMAND": run.command,
    }
