"""The report: the outcome of all checks of one machine at one time."""

from __future__ import annotations

from typing import Literal

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


class Report(Record):
    """`at` is ISO 8601 in UTC; `changes` lists what the user changed in overlays (no failure)."""

    machine: str
    at: str
    engine: str
    summary: Summary
    checks: tuple[CheckResult, ...]
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
