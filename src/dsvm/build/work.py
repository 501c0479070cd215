"""Scratch folders of a build: in memory where it fits with a margin, else on a disk.

A tree of 60,000 small files is written about four times faster to memory, and needs no syncing.
A folder is flocked for as long as its build lives; what a killed build left is removed by the
next one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from dsvm.errors import DsvmError
from dsvm.programs import run
from dsvm.store import binary_size

MEMORY = Path("/dev/shm")
PREFIX = "dsvm-build-"
MARGIN = 2 * 1024**3


_reserved: list[int] = []
_reserving = Lock()


@contextmanager
def folder(needed: int, disk: Path) -> Iterator[Path]:
    """A new folder that holds `needed` bytes, readable by all, removed at the end.

    In memory if there it leaves `MARGIN` bytes free beside what other layers were promised, else
    below `disk`. Raises `DsvmError` if nothing has room.
    """
    with _reserving:
        place = _place(needed + sum(_reserved), disk)
        _reserved.append(needed)
    try:
        sweep(place)
        with held(place) as work:
            yield work
    finally:
        _reserved.remove(needed)


@contextmanager
def held(place: Path) -> Iterator[Path]:
    """A new folder below `place`, flocked from before it has its name until it is gone.

    Readable by all, because an ordinary user's build runs with user ids of its own.
    """
    new = Path(tempfile.mkdtemp(prefix=f"new-{PREFIX}", dir=place))
    lock = os.open(new, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    work = new.rename(place / new.name.removeprefix("new-"))
    try:
        work.chmod(0o755)
        yield work
    finally:
        remove(work)
        os.close(lock)


def new_folder(path: Path) -> None:
    """A folder of a layer: mode 0755 whatever the umask."""
    path.mkdir()
    path.chmod(0o755)


def sweep(place: Path) -> None:
    """Remove the folders of builds that were killed."""
    for left in place.glob(f"{PREFIX}*"):
        if left.stat().st_uid != os.getuid():
            continue
        try:
            lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            remove(left)
        finally:
            os.close(lock)


def remove(tree: Path) -> None:
    """Remove a tree, also what user ids of a namespace own and what nobody may write."""
    shutil.rmtree(tree, ignore_errors=True)
    if tree.exists() and os.getuid() != 0:
        owned = ["unshare", "--map-root-user", "--map-auto", "--mount"]
        run([*owned, "rm", "-rf", "--one-file-system", tree], check=False)
    if tree.exists():
        run(["chmod", "-R", "u+rwX", tree], check=False)
        shutil.rmtree(tree, ignore_errors=True)


def _place(needed: int, disk: Path) -> Path:
    if memory_free() > needed + MARGIN:
        return MEMORY
    disk.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(disk).free
    if free < needed:
        raise DsvmError(
            "no room to build",
            cause=f"{binary_size(needed)} needed, {binary_size(free)} free in {disk}",
            remedy="`dsvm gc` removes what no machine uses; DSVM_HOME moves the work elsewhere",
        )
    return disk


def memory_free() -> int:
    """Bytes that may be written to `MEMORY` without pressing anything else out; 0 without it."""
    if not os.access(MEMORY, os.W_OK):
        return 0
    return min(shutil.disk_usage(MEMORY).free, _available(), _cgroup_free())


def _available() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def _cgroup_free() -> int:
    """What the limit of a container leaves, of control groups v2 or v1; else a large number."""
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            root = Path("/sys/fs/cgroup")
            return int((root / limit).read_text()) - int((root / used).read_text())
        except (OSError, ValueError):
            continue
    return 1 << 62
