"""System calls of Linux that Python's library lacks (some until 3.12), by ctypes.

Numbers and structures: <linux/mount.h>, <linux/sched.h>; mount_setattr(2), open_tree(2),
move_mount(2). The numbers of these newer calls are the same on every architecture.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOEXEC = 0x8
MOUNT_ATTR_IDMAP = 0x00100000

_SYS_OPEN_TREE = 428
_SYS_MOVE_MOUNT = 429
_SYS_MOUNT_SETATTR = 442
_OPEN_TREE_CLONE = 1
_OPEN_TREE_CLOEXEC = os.O_CLOEXEC
_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000
_MOVE_MOUNT_F_EMPTY_PATH = 0x4
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION = 0x20080522
_FIFREEZE = 0xC0045877
_FITHAW = 0xC0045878
_EXT4_IOC_RESIZE_FS = 0x40086610  # _IOW('f', 16, __u64): the new number of blocks

_libc = ctypes.CDLL(None, use_errno=True)


class _MountAttr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapData(ctypes.Structure):
    """One of two halves, each with 32 capabilities."""

    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags` (CLONE_NEW...). Raises `OSError`."""
    _checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def setns(fd: int, flags: int) -> None:
    """Enter the namespace behind `fd`. Raises `OSError`."""
    _checked(_libc.setns(ctypes.c_int(fd), ctypes.c_int(flags)), "setns")


def mount(
    source: str | Path, target: Path, fstype: str | None = None, flags: int = 0, data: str = ""
) -> None:
    """mount(2). Raises `OSError` that names the target."""
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        fstype.encode() if fstype else None,
        ctypes.c_ulong(flags),
        data.encode() or None,
    )
    _checked(result, f"mount {source} on {target}")


def unmount(target: Path, *, lazy: bool = False) -> None:
    """umount2(2). Raises `OSError`."""
    result = _libc.umount2(os.fsencode(target), MNT_DETACH if lazy else 0)
    _checked(result, f"unmount {target}")


def die_with_parent() -> None:
    """The kernel kills this process when the one that forked it dies."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0), "prctl")


def own_proc_files() -> None:
    """Let this process own its files in /proc again, which it loses by changing its user."""
    _checked(_libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0), "prctl")


def keep_capabilities() -> None:
    """Let the programs that this process starts have all its capabilities (capabilities(7),
    ambient), whatever its user."""
    header, data = _CapHeader(_CAPABILITY_VERSION, 0), (_CapData * 2)()
    _checked(_libc.capget(ctypes.byref(header), data), "capget")
    for half in data:
        half.inheritable = half.permitted
    _checked(_libc.capset(ctypes.byref(header), data), "capset")
    for number in range(64):
        if data[number // 32].permitted >> number % 32 & 1:
            raised = _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number, 0, 0)
            _checked(raised, "prctl")


def clone_mount(source: Path, *, recursive: bool = False) -> int:
    """A detached copy of the mount that holds `source`, rooted there; a descriptor to close."""
    flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | (_AT_RECURSIVE if recursive else 0)
    fd = _libc.syscall(_SYS_OPEN_TREE, _AT_FDCWD, os.fsencode(source), ctypes.c_uint(flags))
    return _checked(fd, f"open_tree {source}")


def set_mount(fd: int, attributes: int, userns: int = 0, *, recursive: bool = False) -> None:
    """Add attributes (MOUNT_ATTR_...) to a detached mount; IDMAP takes its map from `userns`."""
    wanted = _MountAttr(attr_set=attributes, attr_clr=0, propagation=0, userns_fd=userns)
    result = _libc.syscall(
        _SYS_MOUNT_SETATTR,
        fd,
        b"",
        ctypes.c_uint(_AT_EMPTY_PATH | (_AT_RECURSIVE if recursive else 0)),
        ctypes.byref(wanted),
        ctypes.c_size_t(ctypes.sizeof(wanted)),
    )
    _checked(result, "mount_setattr")


def place_mount(fd: int, target: Path) -> None:
    """Attach a detached mount at `target`."""
    result = _libc.syscall(
        _SYS_MOVE_MOUNT,
        fd,
        b"",
        _AT_FDCWD,
        os.fsencode(target),
        ctypes.c_uint(_MOVE_MOUNT_F_EMPTY_PATH),
    )
    _checked(result, f"move_mount to {target}")


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return int(result)


def grow_ext4(mounted: Path, length: int) -> None:
    """Let the ext4 mounted there have `length` bytes of its device. Raises `OSError`."""
    place = os.open(mounted, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        blocks = length // os.statvfs(place).f_bsize
        fcntl.ioctl(place, _EXT4_IOC_RESIZE_FS, struct.pack("=Q", blocks))
    finally:
        os.close(place)


@contextmanager
def frozen(mounted: Path) -> Iterator[None]:
    """The file system at `mounted` with all written to its disk, and held still meanwhile.

    See ioctl_fs(2), FIFREEZE. Raises `OSError` when it cannot be.
    """
    place = os.open(mounted, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(place, _FIFREEZE, 0)
        try:
            yield
        finally:
            fcntl.ioctl(place, _FITHAW, 0)
    finally:
        os.close(place)
