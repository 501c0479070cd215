"""Finds a layer by its digest, waits for its device, and mounts it read-only.

A layer is already mounted (the engine did it), on a block device whose serial number is the first
20 hexadecimal digits of its digest (all a virtio disk can carry), or on a partition of an exported
image whose name is the first 36 (all a GPT entry can carry). The host has hashed the first two.
A virtual machine's kernel may load the drivers of such devices later than this asks for them.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from dsvm.guest.places import LAYERS, WHOLE
from dsvm.guest.system import GuestError, folder, mounts, run, write

SERIAL_DIGITS = 20
NAME_DIGITS = 36
WAIT_S = 30.0
PAUSE_S = 0.05
CHUNK = 1 << 20
BLOCK_DEVICES = Path("/sys/block")
PARTITIONS = Path("/sys/class/block")
DRIVERS = ("virtio_pci", "virtio_blk", "virtio_scsi", "sd_mod", "erofs", "loop", "overlay")


def mounted(digest: str, size: int, *, wait_s: float = WAIT_S) -> Path:
    """The folder where the layer of `size` bytes is mounted.

    Raises `GuestError` when it stays away `wait_s`, or is damaged.
    """
    place = LAYERS / digest
    deadline = time.monotonic() + wait_s
    prepared = False
    while True:
        if str(place) in mounts():
            return place
        if source := device_with_serial(digest[:SERIAL_DIGITS]):
            return _mount(source, place)
        if source := partition_named(digest[:NAME_DIGITS]):
            _check(source, digest, size)
            return _mount(source, place)
        if not prepared:
            load_drivers()
            prepared = True
        if time.monotonic() > deadline:
            raise GuestError(
                f"layer {digest[:SERIAL_DIGITS]} is not there: no mount at {place}, no disk with "
                f"that serial number, no partition of that name (waited {wait_s:.0f} s)"
            )
        time.sleep(PAUSE_S)


def load_drivers() -> None:
    """Load what disks and layers need; a container's kernel has it or never will."""
    run("modprobe", "-a", *DRIVERS, check=False)


def device_with_serial(serial: str, devices: Path = BLOCK_DEVICES) -> Path | None:
    """The block device that carries this serial number (virtio, NVMe and SCSI disks)."""
    for device in sorted(devices.glob("*")):
        texts = (_text(device / "serial"), _text(device / "device" / "serial"), _unit(device))
        if serial in texts:
            return Path("/dev") / device.name
    return None


def partition_named(name: str, devices: Path = PARTITIONS) -> Path | None:
    """The partition that has this name in its disk's GPT, as the kernel read it."""
    for device in sorted(devices.glob("*")):
        if f"PARTNAME={name}" in _text(device / "uevent").splitlines():
            return Path("/dev") / device.name
    return None


def _check(source: Path, digest: str, size: int) -> None:
    """Hash a layer that no host has hashed, once: from then on it is this disk's as any file is."""
    if (WHOLE / digest).exists():
        return
    found = hashlib.sha256()
    with source.open("rb") as file:
        while size > 0 and (data := file.read(min(size, CHUNK))):
            found.update(data)
            size -= len(data)
    if found.hexdigest() != digest:
        raise GuestError(
            f"layer {digest[:SERIAL_DIGITS]} is damaged: {source} has sha256 {found.hexdigest()}"
        )
    write(WHOLE / digest, "")


def _mount(source: Path, place: Path) -> Path:
    folder(place)
    run("mount", "-t", "erofs", "-o", "ro,nodev,nosuid", source, place)
    return place


def _unit(device: Path) -> str:
    """A SCSI disk's serial number: its vital product data page 80h, behind a head of 4 bytes."""
    try:
        page = (device / "device" / "vpd_pg80").read_bytes()
    except OSError:
        return ""
    return page[4:].decode("ascii", errors="replace").strip("\0 ")


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip("\0 \n")
    except OSError:
        return ""
