"""The last report of a machine, as far as this room needs it: when, and how many of what."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator
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
    newest, checks = _known(machine)
    if newest is None:
        return None
    counts = Counter(check["outcome"] for check in checks)
    return LastReport(*newest, {outcome: counts[outcome] for outcome in OUTCOMES})


def failing(machine: Machine) -> dict[str, str]:
    """The checks that failed when last run, as `tool: check (where)`, and why each did."""
    _, checks = _known(machine)
    return {_named(one): one.get("reason") or "" for one in checks if one["outcome"] == "failed"}


def seconds_of(machine: Machine, tools: Collection[str]) -> float | None:
    """How long the checks of these tools took when last run, all together; None: never run."""
    _, checks = _known(machine)
    took = [float(one["seconds"]) for one in checks if one["tool"] in tools]
    return sum(took) if took else None


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


def _known(machine: Machine) -> tuple[tuple[Path, str] | None, list[dict[str, Any]]]:
    """The newest report's file and time, and each tool's checks in the newest that has them."""
    newest: tuple[Path, str] | None = None
    known: dict[str, list[dict[str, Any]]] = {}
    for path, data in _reports(machine):
        reached = data.get("reached", True)
        if newest and not reached:
            continue  # of a time when the machine did not answer; it has answered since
        newest = newest or (path, data["at"])
        known = {**_by_tool(data["checks"]), **known}
        if not data.get("scope") or not reached:
            break
    there = {*machine.record.tools, MACHINE}
    return newest, [one for tool, found in known.items() if tool in there for one in found]


def _by_tool(checks: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for check in checks:
        found.setdefault(check["tool"], []).append(check)
    return found


def _named(check: dict[str, Any]) -> str:
    where = check.get("environment")
    return f"{check['tool']}: {check['check']}" + (f" ({where})" if where else "")
