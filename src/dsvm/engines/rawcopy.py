"""A qcow2 disk as a plain file where FUSE is not allowed: a copy, whose changes are written back.

It needs no privilege and no namespace, only room for the content twice and seconds in place of
moments. Only what differs is written, so the disk grows as little as with `dsvm.engines.storage`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO

from dsvm import scratch
from dsvm.programs import ProgramFailed, run

BLOCK = 1 << 16
"""A cluster of qcow2: less would be filled up from below anyway."""
ZEROS = bytes(BLOCK)
LONGEST_RUN = 64 * BLOCK
WRITES_AT_ONCE = 200


@contextmanager
def copied(disk: Path, window: tuple[int, int] | None = None) -> Iterator[Path]:
    """A raw file with the disk's content, or with the `window` of it (offset and length in
    bytes); what was changed in it by the end of the `with` is then the disk's, in place.

    Raises `ProgramFailed`, also when another process has the disk open.
    """
    with scratch.folder("disk", disk.parent) as folder:
        before, after = folder / "before", folder / "after"
        run(["qemu-img", "convert", "--image-opts", "-O", "raw", _source(disk, window), before])
        run(["cp", "--sparse=always", before, after])
        yield after
        _write_back(before, after, disk, window[0] if window else 0)


def _source(disk: Path, window: tuple[int, int] | None) -> str:
    name = os.fspath(disk).replace(",", ",,")
    if window is None:
        return f"driver=qcow2,file.filename={name}"
    place = f"offset={window[0]},size={window[1]}"
    return f"driver=raw,{place},file.driver=qcow2,file.file.filename={name}"


def _write_back(before: Path, after: Path, disk: Path, start: int) -> None:
    """Write each run of bytes that differs to its place, `start` bytes into the disk."""
    with before.open("rb") as old, after.open("rb") as new:
        changes = _changes(old, new)
        while some := list(islice(changes, WRITES_AT_ONCE)):
            _write(some, disk, start, before.parent)


def _write(changes: list[tuple[int, bytes]], disk: Path, start: int, folder: Path) -> None:
    argv = ["qemu-io", "-f", "qcow2"]
    for number, (offset, data) in enumerate(changes):
        place = f"{start + offset} {len(data)}"
        if _is_zero(data):
            argv += ["-c", f"write -z -u {place}"]
        else:
            (folder / str(number)).write_bytes(data)
            argv += ["-c", f"write -s {number} {place}"]  # by a name that is one word
    said = run([*argv, disk.absolute()], cwd=folder).stdout
    if said.count("wrote ") != len(changes):
        raise ProgramFailed(argv, "did not write all changes to the disk", output=said)


def _changes(old: IO[bytes], new: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Offset and new content of what differs, in order, in runs that are zero or are not."""
    start, data = 0, b""
    for at in sorted(_data_blocks(old) | _data_blocks(new)):
        was, now = _block(old, at), _block(new, at)
        if was == now:
            continue
        alike = _is_zero(data) == _is_zero(now)
        if data and not (alike and at == start + len(data) < start + LONGEST_RUN):
            yield start, data
            data = b""
        start = start if data else at
        data += now
    if data:
        yield start, data


def _is_zero(run_of_blocks: bytes) -> bool:
    """Told by the first block, as all blocks of a run are alike in this."""
    return run_of_blocks[:BLOCK] == ZEROS


def _block(file: IO[bytes], at: int) -> bytes:
    return os.pread(file.fileno(), BLOCK, at).ljust(BLOCK, b"\0")


def _data_blocks(file: IO[bytes]) -> set[int]:
    """Where the blocks begin that are no hole."""
    found: set[int] = set()
    size, hole = os.fstat(file.fileno()).st_size, 0
    while hole < size:
        try:
            data = os.lseek(file.fileno(), hole, os.SEEK_DATA)
        except OSError:  # ENXIO: nothing but a hole up to the end
            break
        hole = os.lseek(file.fileno(), data, os.SEEK_HOLE)
        found.update(range(data // BLOCK * BLOCK, hole, BLOCK))
    return found
