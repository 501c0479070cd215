"""A size with its price, and where the prices of a provider are from."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from dsvm.definition.model import Accelerator
from dsvm.errors import UsageError

THIS_COMPUTER = "this-computer"
OWN = "own"
STALE_DAYS = 90
"""Prices older than this are told with a warning."""


@dataclass(frozen=True)
class Size:
    """What a machine of a provider has, and what an hour of it costs in US dollars.

    `accelerator_count` may be a part of one; `accelerator_memory` is that of a whole one. Memory
    is in bytes. None: there is none, or it is not known.
    """

    name: str
    provider: str
    cpus: int
    memory: int
    accelerator: str | None = None
    accelerator_count: float = 0
    accelerator_memory: int | None = None
    region: str | None = None
    price_hour: float | None = None
    spot_price_hour: float | None = None

    @property
    def kind(self) -> Accelerator:
        """What `[size] accelerator` says for it."""
        return "nvidia" if self.accelerator else "cpu"

    def json(self) -> dict[str, Any]:
        found = asdict(self)
        for key in ("memory", "accelerator_memory"):
            found[f"{key}_bytes"] = found.pop(key)
        return found


@dataclass(frozen=True)
class Source:
    """Whose list the sizes of a provider are, and of which day."""

    provider: str
    source: str
    day: date
    note: str = ""

    def days(self, today: date) -> int:
        """How old it is."""
        return (today - self.day).days

    def stale(self, today: date) -> bool:
        return self.days(today) > STALE_DAYS


@dataclass(frozen=True)
class Table:
    """All sizes, and the sources of those that have one."""

    sizes: tuple[Size, ...]
    sources: tuple[Source, ...]

    def named(self, name: str) -> Size:
        """Raises `UsageError` when there is none, or when providers differ in it."""
        found = [one for one in self.sizes if one.name == name]
        if not found:
            near = difflib.get_close_matches(name, {one.name for one in self.sizes}, n=3)
            raise UsageError(
                f"there is no size `{name}`",
                remedy=f"did you mean {' or '.join(f'`{one}`' for one in near)}?"
                if near
                else "`dsvm sizes` lists them",
            )
        return found[0]
