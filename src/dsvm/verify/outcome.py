"""From how a check's program ended to what the report says of it: the rules of `catalog.Check`."""

from __future__ import annotations

import json
import re
import signal
from dataclasses import dataclass, field
from typing import Any

from dsvm.verify.model import Outcome

NOT_TESTED = 77
REASON = 1200
# The last line of a Python traceback: `ImportError: ...`, not indented.
RAISED = re.compile(r"^[A-Za-z_][\w.]*(: |:?$)")
NOISE = re.compile(r"^(Execution halted|Calls: .*|Could not chdir to home directory.*)$")


@dataclass(frozen=True)
class Ended:
    """Outcome, reason (None when passed) and what the check measured."""

    outcome: Outcome
    reason: str | None = None
    device: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    measurements: dict[str, object] = field(default_factory=dict)


def judge(told: dict[str, Any], *, timeout_s: float, variant: str | None) -> Ended:
    """`told` is what `inside/run_check.py` prints; `variant` the environment's mounted build."""
    reason = _died(told, timeout_s)
    if reason:
        return Ended("failed", reason)
    if told["status"] == NOT_TESTED:
        return Ended("not_tested", _last_line(told["stdout"]) or "the check gave no reason")
    if told["status"] != 0:
        said = failure(told["stderr"]) or _last_line(told["stdout"])
        return Ended("failed", said or f"it ended with status {told['status']} and said nothing")
    return _passed(told["stdout"], variant)


def _died(told: dict[str, Any], timeout_s: float) -> str | None:
    if told["timed_out"]:
        said = failure(told["stderr"])
        return f"did not end within {timeout_s:.0f} s" + (f"; it said: {said}" if said else "")
    if told["out_of_memory"]:
        return "the machine ran out of memory: the kernel killed the check"
    if told["status"] < 0:
        try:
            name = signal.Signals(-told["status"]).name
        except ValueError:
            name = f"signal {-told['status']}"
        said = failure(told["stderr"])
        return f"died by {name}" + (f"; it said: {said}" if said else "")
    return None


def _passed(stdout: str, variant: str | None) -> Ended:
    measured = measurements(stdout)
    device = _device(measured.pop("device", None))
    versions = measured.pop("versions", {})
    texts = {str(k): str(v) for k, v in versions.items()} if isinstance(versions, dict) else {}
    if variant == "nvidia" and device == "cpu":
        reason = "ran on the CPU, though the environment's nvidia build is mounted"
        return Ended("failed", reason, device, texts, measured)
    return Ended("passed", None, device, texts, measured)


def measurements(stdout: str) -> dict[str, Any]:
    """The JSON object of the last line; empty when that line is something else."""
    try:
        found = json.loads(_last_line(stdout))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def failure(stderr: str) -> str:
    """Why a program failed, from the end of its stderr: of a traceback only the exception."""
    lines = [line.rstrip() for line in stderr.splitlines() if line.strip()]
    lines = [line for line in lines if not NOISE.match(line)]
    traces = [n for n, line in enumerate(lines) if line.startswith("Traceback (most recent")]
    if traces:
        after = range(traces[-1] + 1, len(lines))
        raised = next((n for n in after if RAISED.match(lines[n])), None)
        lines = lines[raised:] if raised is not None else lines
    else:
        lines = lines[-6:]
    text = "\n".join(lines).strip().removeprefix("AssertionError: ")
    # The cause stands at either end; between them are stack traces and lists.
    half = REASON // 2
    return text if len(text) <= REASON else f"{text[:half]}\n…\n{text[-half:]}"


def _device(word: object) -> str | None:
    if not isinstance(word, str):
        return None
    return "nvidia" if word.lower().startswith(("cuda", "gpu", "nvidia")) else word.lower()


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""
