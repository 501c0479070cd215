"""What a machine keeps of the lessons that ran on it.

<machine>/learn/<lesson>.json   the last run of it
<machine>/learn/index.html      all of them, for people: figures, results
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from dsvm.learn.lessons import load_lessons
from dsvm.machines.machine import Machine
from dsvm.verify.model import Outcome, Record
from dsvm.whole import write_whole


class Ran(Record):
    """What came of a lesson. `at`: ISO 8601 in UTC; `figures`: data: URIs."""

    name: str
    at: str
    outcome: Outcome
    reason: str | None = None
    device: str | None = None
    seconds: float
    results: dict[str, object] = Field(default_factory=dict)
    figures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shelf:
    """What a machine keeps of the lessons that ran on it."""

    folder: Path

    @classmethod
    def of(cls, machine: Machine) -> Shelf:
        return cls(machine.folder / "learn")

    @property
    def page(self) -> Path:
        return self.folder / "index.html"

    def last(self, name: str) -> Ran | None:
        """The last run of a lesson, if it can be read."""
        try:
            return Ran.model_validate_json((self.folder / f"{name}.json").read_bytes())
        except (OSError, ValidationError):
            return None

    def keep(self, ran: Ran) -> None:
        self.folder.mkdir(exist_ok=True)
        write_whole(self.folder / f"{ran.name}.json", ran.model_dump_json(indent=1).encode())

    def all(self) -> dict[str, Ran]:
        """The last run of each lesson that ran."""
        found = {name: self.last(name) for name in load_lessons()}
        return {name: ran for name, ran in found.items() if ran}
