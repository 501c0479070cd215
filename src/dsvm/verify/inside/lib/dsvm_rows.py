"""Rows that checks of several databases load: `import dsvm_rows`. Standard library only."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

# name, greek, diameter, moons, discovered: text of two alphabets, a decimal, a number, a date, and
# places where nothing is known. A check in another language is told this path.
PLANETS = Path(__file__).with_name("planets.csv")


def planets() -> list[list[str]]:
    """Its rows as texts, without the names of the columns; an empty text is nothing known."""
    with PLANETS.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


def values(rows: Iterable[Sequence[str]]) -> str:
    """The rows as they stand behind `INSERT INTO ... VALUES`, an empty text as NULL."""
    return ", ".join(f"({', '.join(map(_quoted, row))})" for row in rows)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'" if text else "NULL"
