"""The kernel's file notifications (inotify(7)), by ctypes: waiting for them costs nothing."""

from __future__ import annotations

import ctypes
import errno
import os
import select
import struct
from collections.abc import Iterator
from pathlib import Path

CREATE, DELETE, DELETE_SELF, MOVED_FROM, MOVED_TO = 0x100, 0x200, 0x400, 0x40, 0x80
ONLY_DIRECTORY, OVERFLOW = 0x01000000, 0x4000
EVENTS = CREATE | DELETE | DELETE_SELF | MOVED_FROM | MOVED_TO | ONLY_DIRECTORY
HEADER = struct.Struct("iIII")


class LimitReached(Exception):
    """The user may not watch more directories (fs.inotify.max_user_watches)."""


class Inotify:
    """Watches directories, each for names that come and go in it."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._handle = self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._handle < 0:
            raise LimitReached(os.strerror(ctypes.get_errno()))

    def add(self, directory: Path) -> None:
        """Watch one directory; one that is gone or closed to us is passed over."""
        if self._libc.inotify_add_watch(self._handle, os.fsencode(directory), EVENTS) < 0:
            problem = ctypes.get_errno()
            if problem in (errno.ENOSPC, errno.ENOMEM):
                raise LimitReached(os.strerror(problem))

    def wait(self, seconds: float | None) -> bool:
        """Wait for events and forget them; False when none came in time (None: for ever)."""
        ready, _, _ = select.select([self._handle], [], [], seconds)
        if ready:
            for _ in self._chunks():
                pass
        return bool(ready)

    def close(self) -> None:
        os.close(self._handle)

    def _chunks(self) -> Iterator[bytes]:
        while True:
            try:
                yield os.read(self._handle, 65536)
            except BlockingIOError:
                return
