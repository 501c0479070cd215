"""The lock that a supervisor holds for as long as it lives: the one sure sign that a machine runs.

What else lies in the machine's folder may be another version's, or half written; who holds the
lock, the kernel knows.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from dsvm.engines.nspawn.plan import Places

POLL_S = 0.01
LOCKS = Path("/proc/locks")


def locked(places: Places) -> bool:
    """Whether a supervisor lives."""
    try:
        descriptor = os.open(places.lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def take(places: Places, wait_s: float) -> int | None:
    """The supervisor's own: an open, locked descriptor; None when another one has it.

    Who only asks holds the lock for a moment, too, so it is tried for `wait_s` seconds.
    """
    descriptor = os.open(places.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                return None
            time.sleep(POLL_S)


def wait_unlocked(places: Places, timeout_s: float) -> bool:
    """Whether the supervisor ended within so many seconds."""
    deadline = time.monotonic() + timeout_s
    while locked(places):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def holder(places: Places) -> int | None:
    """The process that holds the lock, from /proc/locks (proc_locks(5)); None when nobody does.

    `1: FLOCK  ADVISORY  WRITE 4711 08:02:1835050 0 EOF`: process, device and inode.
    """
    with suppress(FileNotFoundError):
        inode = places.lock.stat().st_ino
        for line in LOCKS.read_text(encoding="ascii").splitlines():
            words = line.split()
            # The device is not compared: stat(2) tells another one on overlays and subvolumes.
            if words[1:4] == ["FLOCK", "ADVISORY", "WRITE"] and _inode(words[5]) == inode:
                pid = int(words[4])
                if _is_supervisor(pid, places):
                    return pid
    return None


def _inode(words: str) -> int:
    return int(words.rpartition(":")[2])


def _is_supervisor(pid: int, places: Places) -> bool:
    """Inodes of two file systems may be alike: the right process names this machine's plan."""
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return os.fsencode(places.plan) in words
    return False
