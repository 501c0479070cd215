"""The last report of a machine, as far as this room needs it: when, and how many of what."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from dsvm.machines.machine import Machine


@dataclass(frozen=True)
class LastReport:
    """`at` is ISO 8601 in UTC; `summary` counts `passed`, `failed` and `not_tested`."""

    path: Path
    at: str
    summary: dict[str, int]

    def json(self) -> dict[str, object]:
        return {"at": self.at, "summary": self.summary, "path": str(self.path)}


def last_report(machine: Machine) -> LastReport | None:
    """The newest report on disk, or None. Their names are times, so they sort."""
    for path in sorted(machine.reports.glob("[0-9]*.json"), reverse=True):
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            return LastReport(path, data["at"], dict(data["summary"]))
        except (ValueError, KeyError, TypeError):
            continue  # half-written by a killed verify
    return None
