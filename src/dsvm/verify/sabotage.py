"""Breaks a tool on purpose, in the ways its folder lists: its checks must name the cause.

A check that has never failed proves little. What is broken is mended again, and proven again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dsvm.catalog.model import Break, Tool
from dsvm.errors import DsvmError
from dsvm.machines.machine import Machine
from dsvm.progress import Silent
from dsvm.verify.model import CheckResult, Report
from dsvm.verify.run import verify

LINE_S = 120


@dataclass(frozen=True)
class Saboteur:
    """Breaks tools of one machine; `tools` are all that it has."""

    machine: Machine
    tools: Sequence[Tool]

    def fault(self, tool: Tool, one: Break) -> str | None:
        """Break, prove, mend, prove: what of it did not go as it must, or None."""
        try:
            self._as_root(one.run)
        except DsvmError as failed:
            return f"the break cannot be made: {_told(failed)}"
        try:
            broken = self.proven(tool)
        finally:
            unmended = self._mend(one)
        return _unnoticed(broken, one) or unmended or _still_broken(self.proven(tool))

    def proven(self, tool: Tool, *, examples: bool = False) -> Report:
        """The report of this tool alone."""
        only = (tool.name,)
        return verify(self.machine, self.tools, only=only, examples=examples, progress=Silent())

    def _mend(self, one: Break) -> str | None:
        try:
            self._as_root(one.undo)
        except DsvmError as failed:
            return f"its `undo` fails: {_told(failed)}"
        return None

    def _as_root(self, line: str) -> None:
        self.machine.ssh.run(["sudo", "-n", "sh", "-c", line], timeout_s=LINE_S)


def untestable(report: Report, tool: Tool) -> str | None:
    """Why there is nothing to break: none of the tool's own checks can be run here."""
    own = {check.name for check in tool.checks}
    found = [one for one in report.checks if one.tool == tool.name and one.check in own]
    if any(check.outcome != "not_tested" for check in found):
        return None
    return "; ".join(check.reason or "no reason" for check in found)


def _unnoticed(report: Report, one: Break) -> str | None:
    failed = [check for check in report.checks if check.outcome == "failed"]
    told = [f"{check.check}: {check.reason}" for check in failed]
    if not failed:
        return "verify passed a broken tool"
    if any(one.expect in line for line in told):
        return None
    return f"no check says `{one.expect}`: {'; '.join(told)}"


def _still_broken(report: Report) -> str | None:
    failed = [check for check in report.checks if check.outcome == "failed"]
    if failed:
        return f"after its `undo` it fails: {_reasons(failed)}"
    return None if report.summary.passed else "after its `undo` nothing passes"


def _reasons(failed: Sequence[CheckResult]) -> str:
    return "; ".join(f"{check.check}: {check.reason}" for check in failed)


def _told(fault: DsvmError) -> str:
    return f"{fault.what}: {fault.cause}" if fault.cause else fault.what
