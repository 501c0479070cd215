"""A qcow2 disk as a plain file, by `qemu-storage-daemon`'s FUSE export.

Where the host lets its user have no FUSE (/dev/fuse is missing, or root's alone), work that takes
moments is done in a copy (`dsvm.engines.rawcopy`); a machine cannot run so.

The daemon locks the qcow2 file: a disk in use is refused to another opener. Killing it is a
power cut for what is mounted from it; ending it by SIGTERM flushes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dsvm.engines import rawcopy
from dsvm.errors import DsvmError
from dsvm.programs import ProgramFailed

PROGRAM = "qemu-storage-daemon"
READY_TIMEOUT_S = 20.0
FLUSH_TIMEOUT_S = 60.0
POLL_S = 0.005


IN_USE = '" lock'
"""In what QEMU and its tools say of a disk that another process has open."""


class DiskInUse(DsvmError):
    """Another process has the disk open."""


class NoFuse(ProgramFailed):
    """The host's FUSE is not for this user."""


class Storage:
    """One running daemon that shows `disk` at the file `at`."""

    def __init__(self, process: subprocess.Popen[bytes], at: Path) -> None:
        self.pid = process.pid
        self.at = at
        self._process = process

    def close(self) -> None:
        """Flush and end. Raises `ProgramFailed` when it does not end in a minute."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(FLUSH_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise ProgramFailed([PROGRAM], "did not write the disk to its end") from None


@contextmanager
def exported(
    disk: Path, at: Path, log: Path, window: tuple[int, int] | None = None
) -> Iterator[Path]:
    """The disk as a raw file for the time of a `with`, flushed and closed at its end.

    It is the file `at`, or a copy elsewhere.
    """
    try:
        daemon = export(disk, at, log, window=window)
    except NoFuse:
        with rawcopy.copied(disk, window) as copy:
            yield copy
        return
    try:
        yield at
    finally:
        daemon.close()


def export(
    disk: Path,
    at: Path,
    log: Path,
    *,
    window: tuple[int, int] | None = None,
    wait_s: float = 0.0,
    monitor: Path | None = None,
) -> Storage:
    """Show `disk` (qcow2) as the raw file `at`, writable. Needs root or a user namespace.

    `window` shows a part of the disk only: offset and length in bytes.
    `wait_s` is how long a disk that another process still holds is waited for (a machine that was
    just killed lets go of it within moments). `monitor` is the socket on which the daemon takes
    orders, for its owner only. Raises `DiskInUse`, `NoFuse`, `ProgramFailed`.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return _export(disk, at, log, window, monitor)
        except DiskInUse:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _export(
    disk: Path, at: Path, log: Path, window: tuple[int, int] | None, monitor: Path | None
) -> Storage:
    at.touch()
    shown = "window" if window else "disk"
    argv = [
        PROGRAM,
        "--blockdev",
        f"driver=file,node-name=file,filename={_escaped(disk)},discard=unmap,locking=on",
        "--blockdev",
        "driver=qcow2,node-name=disk,file=file,discard=unmap,detect-zeroes=unmap",
    ]
    if window:
        place = f"offset={window[0]},size={window[1]}"
        argv += ["--blockdev", f"driver=raw,node-name=window,file=disk,discard=unmap,{place}"]
    argv += [
        "--export",
        f"type=fuse,id=disk,node-name={shown},mountpoint={_escaped(at)},writable=on,growable=off",
    ]
    if monitor:
        monitor.unlink(missing_ok=True)
        argv += ["--chardev", f"socket,id=monitor,path={monitor.name},server=on,wait=off"]
        argv += ["--monitor", "chardev=monitor"]
    with log.open("ab") as out:
        start = out.tell()
        process = _popen(argv, out, monitor.parent if monitor else None)
    deadline = time.monotonic() + READY_TIMEOUT_S
    while at.stat().st_size == 0:
        if process.poll() is not None:
            raise _failure(argv, disk, log, start)
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise ProgramFailed(argv, f"showed no disk in {READY_TIMEOUT_S:.0f} s", log=log)
        time.sleep(POLL_S)
    return Storage(process, at)


def _popen(argv: list[str], out: IO[bytes], folder: Path | None) -> subprocess.Popen[bytes]:
    # Long-lived: not through `run`. A session of its own, so that Ctrl-C at a terminal does not
    # take the disk from under the file system.
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=folder,  # names of sockets end at 108 bytes, so it is told a short one
            umask=0o077,
            start_new_session=True,
        )
    except FileNotFoundError as missing:
        raise ProgramFailed(argv, f"could not start: {missing.strerror}") from None


def _failure(argv: list[str], disk: Path, log: Path, start: int) -> DsvmError:
    with log.open("rb") as file:
        file.seek(start)
        said = file.read().decode(errors="replace")
    if IN_USE in said:
        return DiskInUse(
            f"the disk {disk} is in use",
            cause=said,
            remedy="stop what has it open; a machine's disk belongs to one machine",
            log=log,
        )
    kind = NoFuse if "fuse" in said.lower() else ProgramFailed
    return kind(argv, "could not open the disk", output=said, log=log)


def _escaped(path: Path) -> str:
    # QEMU's option syntax: a comma is doubled.
    return os.fspath(path).replace(",", ",,")
