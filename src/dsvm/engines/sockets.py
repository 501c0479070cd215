"""Unix sockets of any depth: their paths end at 108 bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OPEN_FILES = Path("/proc/self/fd")


@contextmanager
def reachable(place: Path) -> Iterator[str]:
    """A name for the socket `place` that is short enough wherever /proc is."""
    if not OPEN_FILES.is_dir():
        yield os.fspath(place)
        return
    folder = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"{OPEN_FILES}/{folder}/{place.name}"
    finally:
        os.close(folder)
