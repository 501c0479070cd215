"""The report: the outcome of all checks of one machine at one time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Outcome = Literal["passed", "failed", "not_tested"]


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CheckResult(Record):
    """`reason` says why for anything but `passed`. `figures` are data: URIs for the HTML page."""

    tool: str
    check: str
    environment: str | None = None
    variant: str | None = None
    device: str | None = None
    outcome: Outcome
    reason: str | None = None
    seconds: float
    versions: dict[str, str] = Field(default_factory=dict)
    measurements: dict[str, object] = Field(default_factory=dict)
    figures: tuple[str, ...] = ()


class Summary(Record):
    passed: int
    failed: int
    not_tested: int

    @classmethod
    def of(cls, checks: Iterable[CheckResult]) -> Summary:
        """Counts each outcome; not tested is never counted as passed."""
        outcomes = [check.outcome for check in checks]
        return cls(
            passed=outcomes.count("passed"),
            failed=outcomes.count("failed"),
            not_tested=outcomes.count("not_tested"),
        )


class Report(Record):
    """`at` is ISO 8601 in UTC; `changes` lists what the user changed (no failure); `about` says
    what machine it was (base, image, size), each as a person reads it. `scope` names the tools that
    were asked for, empty: all; `full`: every byte below the machine was read again; `reached`: the
    machine answered."""

    machine: str
    at: str
    engine: str
    summary: Summary
    checks: tuple[CheckResult, ...]
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    full: bool = False
    reached: bool = True
    about: dict[str, str] = Field(default_factory=dict)
    seconds: float = 0.0

    def json_data(self) -> dict[str, Any]:
        """`verify --json`: everything but the figures."""
        return self.model_dump(mode="json", exclude={"checks": {"__all__": {"figures"}}})
