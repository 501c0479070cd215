"""Debian's order of versions, as deb-version(7) defines it."""

from __future__ import annotations

import re


def compare(a: str, b: str) -> int:
    """Negative, zero or positive: `a` is older than, the same as, newer than `b`."""
    left, right = _key(a), _key(b)
    return (left > right) - (left < right)


def _key(version: str) -> tuple[int, list[object], list[object]]:
    epoch, _, rest = version.rpartition(":")
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = revision, ""
    return int(epoch or 0), _pieces(upstream), _pieces(revision)


def _pieces(text: str) -> list[object]:
    """Text and numbers in turns, comparable: `~` sorts before the end, letters before the rest."""
    pieces: list[object] = []
    for words, number in re.findall(r"(\D*)(\d*)", text):
        pieces.append([_order(c) for c in words] + [0])
        pieces.append(int(number or 0))
    return pieces


def _order(char: str) -> int:
    if char == "~":
        return -1
    return ord(char) if char.isalpha() else ord(char) + 256
