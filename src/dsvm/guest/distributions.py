"""The Python distributions below a prefix, by their `.dist-info` (packaging.python.org: RECORD)."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Distribution:
    """One installed distribution; `info` and `site` are relative to the prefix."""

    name: str
    version: str
    info: Path
    site: Path

    def files(self, prefix: Path) -> list[Path]:
        """Its files, relative to the prefix, as its RECORD says (none without one)."""
        record = prefix / self.info / "RECORD"
        if not record.is_file():
            return []
        with record.open(newline="", encoding="utf-8", errors="replace") as file:
            rows = [row[0] for row in csv.reader(file) if row]
        return [path for row in rows if (path := _inside(self.site / row)) is not None]


def normalised(name: str) -> str:
    """A name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(prefix: Path) -> dict[str, Distribution]:
    """All distributions of the prefix by normalised name."""
    return {found.name: found for found in _found(prefix)}


def _found(prefix: Path) -> Iterator[Distribution]:
    for info in sorted(prefix.glob("lib/python3*/site-packages/*.dist-info")):
        name, dash, version = info.name.removesuffix(".dist-info").partition("-")
        # pip keeps what it is about to remove under a name that begins with `~`; a directory
        # without METADATA is no distribution (such as those made for ownership in an overlay).
        if dash and not name.startswith("~") and (info / "METADATA").is_file():
            where = info.relative_to(prefix)
            yield Distribution(normalised(name), version, where, where.parent)


def _inside(path: Path) -> Path | None:
    """The path without `..`; None when it leaves the prefix."""
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part != ".":
            parts.append(part)
    return None if path.is_absolute() else Path(*parts)
