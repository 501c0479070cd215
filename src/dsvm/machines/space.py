"""What the files of a machine's snapshots take on the host, and what removing one gives back.

A snapshot's file holds what was written since the one before. What of it was written again since
then, nobody needs any more; the rest moves to the files that lie on it when it goes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dsvm.programs import run

Ranges = list[tuple[int, int]]
"""Begin and end in bytes, in order, apart from each other."""


@dataclass(frozen=True)
class Written:
    """What one qcow2 file says of the disk itself: `data` is held there, `known` also has what it
    knows to be zeros; `bytes` is what the file takes on the host (st_blocks)."""

    bytes: int
    data: Ranges
    known: Ranges


def written(disk: Path) -> Written:
    """Read the map of one file, without what it lies on. Of a running machine's disk it may lack
    the last moments. Raises `ProgramFailed`."""
    file = {"driver": "file", "filename": str(disk.absolute())}
    alone = json.dumps({"driver": "qcow2", "backing": None, "file": file})
    said = run(["qemu-img", "map", "-U", "--output=json", f"json:{alone}"]).stdout
    known = [entry for entry in json.loads(said) if entry["data"] or entry.get("present", False)]
    return Written(
        disk.stat().st_blocks * 512,
        _joined((entry["start"], entry["length"]) for entry in known if entry["data"]),
        _joined((entry["start"], entry["length"]) for entry in known),
    )


def freed(one: Written, above: Iterable[Written]) -> int:
    """Bytes that removing a file would free, when those lie on it: each takes what it lacks."""
    return max(0, one.bytes - sum(_length(_without(one.data, other.known)) for other in above))


def _joined(pieces: Iterable[tuple[int, int]]) -> Ranges:
    found: Ranges = []
    for start, length in pieces:
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], start + length)
        else:
            found.append((start, start + length))
    return found


def _without(ranges: Ranges, taken: Ranges) -> Ranges:
    """What of `ranges` is in none of `taken`."""
    left: Ranges = []
    at = 0
    for begin, end in ranges:
        while at < len(taken) and taken[at][1] <= begin:
            at += 1
        step = at
        while step < len(taken) and taken[step][0] < end:
            if taken[step][0] > begin:
                left.append((begin, taken[step][0]))
            begin = max(begin, taken[step][1])
            step += 1
        if begin < end:
            left.append((begin, end))
    return left


def _length(ranges: Ranges) -> int:
    return sum(end - begin for begin, end in ranges)
