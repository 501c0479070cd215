"""One line of `dsvm doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Group = Literal["engines", "host", "sources", "packages", "versions"]


@dataclass(frozen=True)
class Finding:
    """`ok`: True, False (with a remedy), or None for what is told without a judgement.

    `seconds` is how long it took to find out where that says something.
    """

    name: str
    ok: bool | None
    text: str
    remedy: str | None = None
    notes: tuple[str, ...] = ()
    seconds: float | None = None
    group: Group = "host"
