"""Mistakes in a file a person wrote: collected, each with its line, and raised all at once."""

from __future__ import annotations

import difflib
import re
import stat
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dsvm.definition.positions import Place, positions
from dsvm.errors import DsvmError, ErrorGroup

LARGEST_FILE = 256 * 1024
PATH_MAX = 4096  # Linux, <limits.h>

_AT_LINE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")
_CREDENTIALS = re.compile(r"://[^/@\s\"']+@")
_SYNTAX = {
    "Cannot overwrite a value": "this key is set twice",
    "Cannot declare": "this table is opened twice",
    "Duplicate inline table key": "this key is set twice",
    "Invalid value": "no valid value; text must stand in quotes",
    "Unclosed array": "a `[` is never closed, or a comma is missing",
    "Expected newline or end of document": "only one `key = value` may stand on a line",
}


@dataclass(frozen=True)
class SourceText:
    """One file a person wrote; `name` is how messages call it."""

    name: str
    text: str
    lines: dict[Place, int] = field(default_factory=dict)

    def line_of(self, place: Place) -> int:
        """The line (from 1) of `place`, else of the nearest thing around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def where(self, line: int) -> str:
        """`dsvm.toml:4   tools = ["r"]`: control characters and credentials are not shown."""
        rows = self.text.split("\n")
        row = rows[line - 1].strip() if 0 < line <= len(rows) else ""
        return f"{self.name}:{line}   {shown(row)}".rstrip()


def shown(text: str, limit: int = 100) -> str:
    """`text` fit for a screen: one line, printable, no credentials, not too long."""
    text = _CREDENTIALS.sub("://***@", text)
    text = "".join(c if c.isprintable() else "�" for c in text.replace("\t", " "))
    return text if len(text) <= limit else text[: limit - 2] + " …"


def shown_path(path: Path) -> str:
    """All of a path, for a person who has to find it."""
    return shown(str(path), PATH_MAX)


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The valid word that `word` most likely stands for."""
    words = list(words)
    word = word.lower()[:100]
    # difflib does not see swapped letters as near: `pipy`, `pypi`.
    swapped = [other for other in words if sorted(other) == sorted(word)]
    close = swapped or difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return close[0] if close else None


class Faults:
    """The mistakes found so far in one or several files; at most one for each place."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, Place], tuple[int, DsvmError]] = {}

    def add(
        self,
        source: SourceText,
        place: Place,
        what: str,
        *,
        cause: str | None = None,
        remedy: str | None = None,
        line: int | None = None,
        hide: bool = False,
    ) -> None:
        """Remember a mistake. `line` where it is known better; `hide` for lines with secrets."""
        number = line or source.line_of(place)
        row = f"{source.name}:{number}   (not shown)" if hide else source.where(number)
        error = DsvmError(what, cause=cause, remedy=remedy, where=[row])
        self._found.setdefault((source.name, place), (number, error))

    def add_error(self, name: str, place: Place, error: DsvmError) -> None:
        """Remember an error that is already complete, as one of the file `name`."""
        self._found.setdefault((name, place), (0, error))

    def known(self, source: SourceText, place: Place) -> bool:
        """Whether this place or one around it has a mistake already."""
        return any((source.name, place[:n]) in self._found for n in range(1, len(place) + 1))

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def errors(self) -> list[DsvmError]:
        """In the order of the files and of their lines."""
        order = {name: i for i, name in enumerate(dict.fromkeys(n for n, _ in self._found))}
        found = sorted(self._found.items(), key=lambda item: (order[item[0][0]], item[1][0]))
        return [error for _, (_, error) in found]

    def raise_if_any(self) -> None:
        if self._found:
            raise ErrorGroup(self.errors)


def read_text(path: Path, name: str) -> str:
    """The text of a file a person wrote. Raises `DsvmError`: missing, too large, not UTF-8."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "no ordinary file"
            raise DsvmError(f"`{name}` is {kind}", remedy="name a text file")
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as trouble:
        cause = trouble.strerror if isinstance(trouble, OSError) else str(trouble)
        raise DsvmError(
            f"`{shown(name)}` cannot be read", cause=cause, remedy=f"look at {shown_path(path)}"
        ) from None
    if len(raw) > LARGEST_FILE:
        raise DsvmError(
            f"`{name}` is larger than {LARGEST_FILE // 1024} KiB", remedy="is it the right file?"
        )
    return _decoded(raw, name)


def _decoded(raw: bytes, name: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = raw.count(b"\n", 0, wrong.start) + 1
        raise DsvmError(
            f"`{name}` is not UTF-8 text",
            where=[SourceText(name, raw.decode(errors="replace")).where(line)],
            remedy="save it with the encoding UTF-8",
        ) from None


def parse_toml(text: str, name: str) -> tuple[SourceText, dict[str, Any]]:
    """The data of a TOML text. Raises `DsvmError` with the line of a syntax error."""
    try:
        data = tomllib.loads(text)
        return SourceText(name, text, positions(text)), data
    except RecursionError:
        raise DsvmError(f"`{name}` is nested too deeply", remedy="write it flatter") from None
    except ValueError as wrong:
        raise _syntax_error(text, name, str(wrong)) from None


def _syntax_error(text: str, name: str, message: str) -> DsvmError:
    at = _AT_LINE.search(message)
    line = int(at.group(1)) if at and at.group(1) else len(text.rstrip().split("\n"))
    message = _AT_LINE.sub("", message)
    plain = next((ours for theirs, ours in _SYNTAX.items() if message.startswith(theirs)), None)
    return DsvmError(
        f"`{name}` is not valid TOML",
        where=[SourceText(name, text).where(line)],
        cause=plain or shown(message),
        remedy="the rules of TOML in five minutes: https://toml.io",
    )
