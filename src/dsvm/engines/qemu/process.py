"""Whether QEMU lives, by the lock that it holds on its own pid file: the kernel's word."""

from __future__ import annotations

import fcntl
import os
import platform
import signal
import struct
import time
from contextlib import suppress
from pathlib import Path

POLL_S = 0.02
# struct flock of fcntl(2): on Linux type, whence, start, length, pid; on macOS (and the BSDs it
# comes from) start, length, pid, type, whence.
LAYOUT, KIND, PID = ("qqihh", 3, 2) if platform.system() == "Darwin" else ("hhqqi0q", 0, 4)


def holder(pid_file: Path) -> int | None:
    """The process that holds the pid file, None when nobody does. Asking takes no lock itself."""
    try:
        descriptor = os.open(pid_file, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    fields = [0] * 5
    fields[KIND] = fcntl.F_WRLCK
    try:
        found = fcntl.fcntl(descriptor, fcntl.F_GETLK, struct.pack(LAYOUT, *fields))
    finally:
        os.close(descriptor)
    answer = struct.unpack(LAYOUT, found)
    return None if answer[KIND] == fcntl.F_UNLCK else int(answer[PID])


def wait_gone(pid_file: Path, timeout_s: float) -> bool:
    """Whether it ended within so many seconds."""
    deadline = time.monotonic() + timeout_s
    while holder(pid_file) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def kill(pid_file: Path) -> None:
    pid = holder(pid_file)
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
