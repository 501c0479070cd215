"""Reads the seed: from the folder the engine shows, else from a disk with a name of its own, or
from the partition of that name in an exported image.

Neither holds a file system: a head of 512 bytes, then a tar of the seed's folder.

    dsvm-seed 1 <length of the tar> <its SHA-256>\\n, filled up with zeros

The host may write it anew while the machine runs, so what is half written is read again.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import re
import tarfile
import time
from pathlib import Path
from typing import cast

from dsvm.guest.layers import device_with_serial, load_drivers, partition_named
from dsvm.guest.places import SEED
from dsvm.guest.seed import Seed
from dsvm.guest.system import GuestError, folder, mounts, write

VERSION = 1
DISK_SERIAL = "dsvm-seed"
HEAD_BYTES = 512
HEAD = re.compile(rb"dsvm-seed 1 ([0-9]{1,9}) ([0-9a-f]{64})\n\0*")
FLUSH_BUFFERS = 0x1261
"""<linux/fs.h>: BLKFLSBUF, forget what was read of the device before."""
WAIT_S = 20.0
OPTIONAL = {"alone"}
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")


def load(place: Path = SEED, *, wait_s: float = WAIT_S) -> Seed:
    """The seed; raises `GuestError` when there is none or it is none this code understands."""
    if str(place) not in mounts():
        deadline = time.monotonic() + wait_s
        if _disk() is None:
            load_drivers()
        while not _from_disk(place) and not (place / "seed.json").exists():
            if time.monotonic() > deadline:
                raise GuestError(f"no seed: neither {place}/seed.json nor a disk `{DISK_SERIAL}`")
            time.sleep(0.05)
    return parse((place / "seed.json").read_text())


def _from_disk(place: Path) -> bool:
    """Write the files of the seed disk to `place`; whether there is such a disk, whole."""
    disk = _disk()
    packed = unpacked(_read(disk)) if disk else None
    if packed is None:
        return False
    folder(place, mode=0o700)
    for name, text in packed.items():
        write(place / name, text, mode=0o600)
    return True


def _disk() -> Path | None:
    return device_with_serial(DISK_SERIAL) or partition_named(DISK_SERIAL)


def unpacked(data: bytes) -> dict[str, str] | None:
    """File name -> text of a seed disk's content; None when it is not, or half written."""
    head = HEAD.fullmatch(data[:HEAD_BYTES])
    if head is None:
        return None
    body = data[HEAD_BYTES : HEAD_BYTES + int(head[1])]
    if hashlib.sha256(body).hexdigest().encode() != head[2]:
        return None
    found = {}
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:") as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file and "/" not in member.name:
                found[member.name] = file.read().decode()
    return found


def _read(disk: Path) -> bytes:
    try:
        descriptor = os.open(disk, os.O_RDONLY)
        with os.fdopen(descriptor, "rb") as file:
            fcntl.ioctl(descriptor, FLUSH_BUFFERS)
            return file.read()
    except OSError as failed:
        raise GuestError(f"the seed disk {disk} cannot be read: {failed}") from None


def parse(text: str) -> Seed:
    """Check the few things that everything else relies on."""
    try:
        seed = json.loads(text)
    except ValueError as broken:
        raise GuestError(f"the seed is not JSON: {broken}") from None
    if not isinstance(seed, dict) or seed.get("version") != VERSION:
        raise GuestError(f"the seed is not of version {VERSION}; image and host do not fit")
    if missing := sorted(set(Seed.__annotations__) - OPTIONAL - set(seed)):
        raise GuestError(f"the seed lacks {', '.join(missing)}")
    for group in ("environments", "kernels", "apps", "users"):
        for one in seed[group]:
            if not NAME.fullmatch(one["name"].lower()):
                raise GuestError(f"the seed has a name that cannot be used: {one['name']!r}")
    return cast(Seed, seed)
