"""Temporary folders that a killed process cannot leave behind for long.

A folder is flocked for as long as its maker lives, and the kernel ends the lock with the process,
however that ends. So a folder that nobody holds is nobody's, and is removed by whoever comes next:
each maker of a folder sweeps its place first, `dsvm gc` and a build sweep all places.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dsvm.home import Home
from dsvm.programs import run

PREFIX = "dsvm-scratch-"
"""Of our folders alone: a person may well name one of their own `dsvm-something`."""
MEMORY = Path("/dev/shm")


@contextmanager
def folder(what: str, place: Path | None = None) -> Iterator[Path]:
    """A new folder `dsvm-scratch-<what>-...` of mode 0700 below `place`, removed at the end.

    `place` is the system's folder for temporary files unless given. What killed processes left in
    that place is removed first.
    """
    at = place or Path(tempfile.gettempdir())
    at.mkdir(parents=True, exist_ok=True)
    sweep(at)
    path, lock = _new(f"{PREFIX}{what}-", at)
    try:
        yield path
    finally:
        remove(path)
        os.close(lock)


def sweep(place: Path) -> int:
    """Remove the folders of ours that nobody holds any more; how many."""
    return sum(map(_removed, place.glob(f"{PREFIX}*/")))


def sweep_all(home: Home) -> int:
    """Sweep every place of this home and of the system; how many folders went."""
    ours = (home.cache, home.cache / "work", home.cache / "trees")
    return sum(map(sweep, (MEMORY, Path(tempfile.gettempdir()), *ours)))


def remove(tree: Path) -> None:
    """Remove a tree, also what user ids of a namespace own and what nobody may write."""
    shutil.rmtree(tree, ignore_errors=True)
    if tree.exists() and os.getuid() != 0:
        owned = ["unshare", "--map-root-user", "--map-auto", "--mount"]
        run([*owned, "rm", "-rf", "--one-file-system", tree], check=False)
    if tree.exists():
        run(["chmod", "-R", "u+rwX", tree], check=False)
        shutil.rmtree(tree, ignore_errors=True)


def _new(prefix: str, place: Path) -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        with suppress(FileNotFoundError):  # swept between its making and its opening
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.fstat(lock).st_nlink and path.exists():
                return path, lock
            os.close(lock)


def _removed(left: Path) -> bool:
    try:
        lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        if os.fstat(lock).st_uid != os.getuid():
            return False
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        remove(left)
        return True
    finally:
        os.close(lock)
