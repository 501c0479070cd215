"""Files that are replaced whole: a reader sees the old content or the new one, never a part.

The new content is written beside the file, as `.NAME.partial`, and renamed over it. The writer
holds a flock on it, so two writers take turns; what a killed one left nobody holds, and the next
writer takes it over. So there is never more than one.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write_whole(path: Path, data: bytes, *, mode: int = 0o666, synced: bool = False) -> None:
    """Replace the file by one with this content, of the same permissions.

    Where there is none yet it gets `mode`, lessened by the umask.
    With `synced` it survives a power cut once this returns. Raises `OSError`; the file is then what
    it was.
    """
    partial = path.with_name(f".{path.name}.partial")
    with _held(partial, mode) as file:
        try:
            with suppress(FileNotFoundError):
                os.fchmod(file, stat.S_IMODE(path.stat().st_mode))
            _write_all(file, data)
            if synced:
                os.fsync(file)
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    if synced:
        _sync_entry(path.parent)


@contextmanager
def _held(partial: Path, mode: int) -> Iterator[int]:
    """The empty file of that name, which is this writer's alone."""
    while True:
        file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_at(partial, file):
                os.ftruncate(file, 0)
                yield file
                return
        finally:
            os.close(file)


def _is_at(partial: Path, file: int) -> bool:
    """Not if the writer before has just renamed it."""
    try:
        return os.path.samestat(partial.lstat(), os.fstat(file))
    except FileNotFoundError:
        return False


def _write_all(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _sync_entry(folder: Path) -> None:
    entry = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(entry)
    finally:
        os.close(entry)
