"""`dsvm-guest grow`: the mounted root file system takes more of its disk."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from pathlib import Path

from dsvm.guest.system import GuestError

ROOT = Path("/")
# <linux/fs.h>, ext4: _IOW('f', 16, __u64), the new number of blocks; see resize2fs(8).
EXT4_IOC_RESIZE_FS = 0x40086610
REASONS = {
    errno.EPERM: "root in this machine may not resize a mounted file system (CAP_SYS_RESOURCE)",
    errno.ENOSPC: "its disk is not that large before it is started anew",
}


def grow(length: int, root: Path = ROOT) -> None:
    """Let the ext4 mounted at `root` have `length` bytes; the kernel journals each step.

    Nothing to do when it has them. Raises `GuestError` with the reason.
    """
    place = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        block = os.statvfs(place).f_bsize
        fcntl.ioctl(place, EXT4_IOC_RESIZE_FS, struct.pack("=Q", length // block))
    except OSError as refused:
        reason = REASONS.get(refused.errno or 0) or refused.strerror
        raise GuestError(
            f"the root file system does not grow while it is mounted: {reason}"
        ) from None
    finally:
        os.close(place)
