"""Zeroes what the blocks of an ext4 file system still hold of files that are gone.

e2fsck discards the free blocks, but a qcow2 forgets whole clusters only. And what a program has
reserved (fallocate(2), as systemd's journal does) is a file's, with what was there before in it.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dsvm.programs import run

CLUSTER = 64 * 1024
"""Bytes; of every qcow2 that dsvm makes: qemu-img's default."""
CHUNK = 1 << 20
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")
# `dump_extents`: level, entries, logical, physical, length, flags.
_RESERVED = re.compile(r"(\d+) +- +(\d+) +\d+ Uninit *$", re.MULTILINE)


@dataclass(frozen=True)
class Layout:
    """What dumpe2fs(8) tells: the size of a block, the ranges that are free (first, last)."""

    block: int
    inodes: int
    free_blocks: list[tuple[int, int]]
    free_inodes: list[tuple[int, int]]


def erase_stale(root: Path) -> None:
    """Zero the blocks of no content that discarding does not reach. Raises `ProgramFailed`."""
    layout = _layout(run(["dumpe2fs", root]).stdout)
    with root.open("r+b", buffering=0) as disk:
        for first, last in (*_edges(layout), *_reserved(root, layout)):
            _zero(disk.fileno(), first * layout.block, (last + 1) * layout.block)


def _layout(told: str) -> Layout:
    def number(what: str) -> int:
        (found,) = re.findall(rf"^{what}: +(\d+)$", told, re.MULTILINE)
        return int(found)

    def ranges(what: str) -> list[tuple[int, int]]:
        lists = re.findall(rf"^  {what}: (.+)$", told, re.MULTILINE)
        found = (pair for text in lists for pair in _RANGE.findall(text))
        return [(int(first), int(last or first)) for first, last in found]

    return Layout(
        number("Block size"), number("Inode count"), ranges("Free blocks"), ranges("Free inodes")
    )


def _edges(layout: Layout) -> Iterator[tuple[int, int]]:
    """The free blocks that share a cluster with others."""
    whole = CLUSTER // layout.block
    for first, last in layout.free_blocks:
        middle, behind = -(-first // whole) * whole, (last + 1) // whole * whole
        if middle >= behind:
            yield first, last
            continue
        if first < middle:
            yield first, middle - 1
        if behind <= last:
            yield behind, last


def _reserved(root: Path, layout: Layout) -> Iterator[tuple[int, int]]:
    """The blocks that files have and that were never written to."""
    free = {inode for first, last in layout.free_inodes for inode in range(first, last + 1)}
    asked = "".join(
        f"dump_extents -l <{inode}>\n" for inode in range(1, layout.inodes + 1) if inode not in free
    )
    with tempfile.NamedTemporaryFile("w", suffix=".debugfs") as script:
        script.write(asked)
        script.flush()
        told = run(["debugfs", "-f", script.name, root]).stdout
    for first, last in _RESERVED.findall(told):
        yield int(first), int(last)


def _zero(disk: int, begin: int, end: int) -> None:
    """What is zero already is left alone, so that a sparse disk stays sparse."""
    for place in range(begin, end, CHUNK):
        size = min(CHUNK, end - place)
        held = os.pread(disk, size, place)
        if held.count(0) != size:
            os.pwrite(disk, bytes(size), place)
