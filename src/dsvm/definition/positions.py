"""Where each key and item of a TOML text stands. The text must already be valid TOML.

`tomllib` checks the grammar but keeps no positions, so this only has to find its way through
text known to be right: https://toml.io/en/v1.0.0.
"""

from __future__ import annotations

import re
import tomllib

Place = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\r\n]*")
_STRINGS = (
    re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}', re.DOTALL),
    re.compile(r"'''.*?'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)


def positions(text: str) -> dict[Place, int]:
    """The line (from 1) of every table, key and array item of `text`, by its place."""
    return _Scanner(text.replace("\r\n", "\n")).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self.lines: dict[Place, int] = {}
        self.arrays: dict[Place, int] = {}

    def scan(self) -> dict[Place, int]:
        table: Place = ()
        self._take(_BLANK)
        while self.at < len(self.text):
            if self._peek("["):
                table = self._header()
            else:
                self._pair(table)
            self._take(_BLANK)
        return self.lines

    def _header(self) -> Place:
        many = self.text.startswith("[[", self.at)
        line = self.line
        self._skip(2 if many else 1)
        keys = self._keys()
        self._skip(2 if many else 1)
        table = self._inside(keys)
        if many:
            count = self.arrays.get(table, 0)
            self.arrays[table] = count + 1
            self._note(table, line)
            table = (*table, count)
        self._note(table, line)
        return table

    def _inside(self, keys: Place) -> Place:
        """The place a header names: each array of tables on the way means its last table."""
        place: Place = ()
        for number, key in enumerate(keys):
            place = (*place, key)
            if number < len(keys) - 1 and place in self.arrays:
                place = (*place, self.arrays[place] - 1)
            self._note(place, self.line)
        return place

    def _pair(self, table: Place) -> None:
        line = self.line
        place = (*table, *self._keys())
        for length in range(len(table) + 1, len(place) + 1):
            self._note(place[:length], line)
        self._skip(1)
        self._take(_SPACE)
        self._value(place)

    def _keys(self) -> Place:
        self._take(_SPACE)
        keys = [self._key()]
        self._take(_SPACE)
        while self._peek("."):
            self._skip(1)
            self._take(_SPACE)
            keys.append(self._key())
            self._take(_SPACE)
        return tuple(keys)

    def _key(self) -> str:
        if self._peek('"') or self._peek("'"):
            quoted = self._string()
            return str(tomllib.loads(f"k = {quoted}")["k"])
        return self._take(_BARE)

    def _value(self, place: Place) -> None:
        if self._peek("["):
            self._array(place)
        elif self._peek("{"):
            self._inline_table(place)
        elif self._peek('"') or self._peek("'"):
            self._string()
        else:
            self._take(_SCALAR)

    def _array(self, place: Place) -> None:
        self._skip(1)
        self._take(_BLANK)
        number = 0
        while not self._peek("]"):
            item = (*place, number)
            self._note(item, self.line)
            self._value(item)
            number += 1
            self._comma()
        self._skip(1)

    def _inline_table(self, place: Place) -> None:
        self._skip(1)
        self._take(_BLANK)
        while not self._peek("}"):
            self._pair(place)
            self._comma()
        self._skip(1)

    def _comma(self) -> None:
        self._take(_BLANK)
        if self._peek(","):
            self._skip(1)
            self._take(_BLANK)

    def _string(self) -> str:
        for pattern in _STRINGS:
            if pattern.match(self.text, self.at):
                return self._take(pattern)
        raise ValueError(f"no TOML string at line {self.line}")

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise ValueError(f"no valid TOML at line {self.line}")
        self.at = match.end()
        self.line += match.group().count("\n")
        return match.group()

    def _skip(self, length: int) -> None:
        if self.at + length > len(self.text):
            raise ValueError("the TOML text ends too early")
        self.at += length

    def _peek(self, start: str) -> bool:
        return self.text.startswith(start, self.at)

    def _note(self, place: Place, line: int) -> None:
        self.lines.setdefault(place, line)
