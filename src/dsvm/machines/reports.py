"""The last report of a machine, as far as this room needs it: when, and how many of what."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsvm.machines.machine import MACHINE, Machine

OUTCOMES = ("passed", "failed", "not_tested")


@dataclass(frozen=True)
class LastReport:
    """The newest report, and what is known of the machine with it. `at` is ISO 8601 in UTC.

    `summary` counts `passed`, `failed` and `not_tested`. Where the newest report proved some tools
    only, the others count as the report before found them.
    """

    path: Path
    at: str
    summary: dict[str, int]

    def json(self) -> dict[str, object]:
        return {"at": self.at, "summary": self.summary, "path": str(self.path)}


def last_report(machine: Machine) -> LastReport | None:
    """The newest report on disk, or None."""
    newest: tuple[Path, str] | None = None
    outcomes: dict[str, list[str]] = {}
    for path, data in _reports(machine):
        reached = data.get("reached", True)
        if newest and not reached:
            continue  # of a time when the machine did not answer; it has answered since
        newest = newest or (path, data["at"])
        outcomes = {**_by_tool(data["checks"]), **outcomes}
        if not data.get("scope") or not reached:
            break
    if newest is None:
        return None
    there = {*machine.record.tools, MACHINE}
    counts = Counter(one for tool, found in outcomes.items() if tool in there for one in found)
    return LastReport(*newest, {outcome: counts[outcome] for outcome in OUTCOMES})


def whole_reports(machine: Machine) -> list[Path]:
    """The files of all its reports, the newest first."""
    return [path for path, _ in _reports(machine)]


def _reports(machine: Machine) -> Iterator[tuple[Path, dict[str, Any]]]:
    """All whole reports, the newest first; their names are times, so they sort."""
    for path in sorted(machine.reports.glob("[0-9]*.json"), reverse=True):
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue  # half-written by a killed verify
        yield path, data


def _by_tool(checks: list[dict[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for check in checks:
        found.setdefault(check["tool"], []).append(check["outcome"])
    return found
