"""How large a machine is: what the definition says, else half of the host."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from dsvm.definition.model import SizeDefinition
from dsvm.engines.base import Size
from dsvm.errors import DsvmError
from dsvm.machines.model import SizeRecord

GIB = 1 << 30
LEAST_MEMORY = 512 << 20
LEAST_DISK = 8 * GIB
MOST_DEFAULT_DISK = 256 * GIB
UNITS = {"K": 10, "M": 20, "G": 30, "T": 40}


@dataclass(frozen=True)
class Host:
    """What there is to share: CPUs, memory in bytes, free disk in bytes."""

    cpus: int
    memory: int
    disk: int

    @classmethod
    def measure(cls, folder: Path) -> Host:
        """This host, and the file system `folder` is (or will be) on."""
        while not folder.exists():
            folder = folder.parent
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return cls(len(os.sched_getaffinity(0)), memory, shutil.disk_usage(folder).free)


def parse_bytes(text: str) -> int:
    """Bytes of `4G`, `512M`, `1.5T`, `4 GiB` (binary units). Raises `ValueError`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT])(?:i?B)?", text.strip(), re.IGNORECASE)
    if not found:
        raise ValueError(f"`{text}` is no size: write `4G` or `512M`")
    return int(float(found[1]) * (1 << UNITS[found[2].upper()]))


def choose_size(wanted: SizeDefinition, host: Host, kept: SizeRecord | None = None) -> Size:
    """The machine's size. What the definition leaves open stays as `kept`, else half of the host.

    The disk is an upper limit that is used only as it fills; open, it is half of what is free
    (8 to 256 GiB). Raises `DsvmError` when the host has not that much.
    """
    size = Size(
        cpus=wanted.cpus or (kept.cpus if kept else max(1, host.cpus // 2)),
        memory=_bytes("memory", wanted.memory) or (kept.memory if kept else _half(host.memory)),
        disk=_bytes("disk", wanted.disk) or (kept.disk if kept else _default_disk(host)),
        accelerator=wanted.accelerator,
    )
    _check(size, host)
    return size


def to_record(size: Size) -> SizeRecord:
    return SizeRecord(
        cpus=size.cpus, memory=size.memory, disk=size.disk, accelerator=size.accelerator
    )


def from_record(record: SizeRecord) -> Size:
    accelerator = cast(Literal["auto", "cpu", "nvidia"], record.accelerator)
    return Size(record.cpus, record.memory, record.disk, accelerator)


def human(count: int) -> str:
    """`1.5 GiB` of a number of bytes."""
    amount, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if amount < 1024 or unit == "TiB":
            break
        amount /= 1024
    return f"{amount:.1f} {unit}" if unit != "B" else f"{count} B"


def _half(memory: int) -> int:
    """Half of the memory in whole MiB."""
    return (memory // 2) >> 20 << 20


def _default_disk(host: Host) -> int:
    return min(MOST_DEFAULT_DISK, max(LEAST_DISK, host.disk // 2 // GIB * GIB))


def _bytes(key: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_bytes(text)
    except ValueError as wrong:
        raise DsvmError(f"[size] {key}: {wrong}", remedy='for example: memory = "4G"') from None


def _check(size: Size, host: Host) -> None:
    if size.cpus > host.cpus:
        raise _too_large("cpus", str(size.cpus), str(host.cpus))
    if size.memory > host.memory:
        raise _too_large("memory", human(size.memory), human(host.memory))
    if size.memory < LEAST_MEMORY:
        raise _too_small("memory", size.memory, LEAST_MEMORY)
    if size.disk < LEAST_DISK:
        raise _too_small("disk", size.disk, LEAST_DISK)


def _too_large(key: str, wanted: str, there: str) -> DsvmError:
    return DsvmError(
        f"[size] {key}: the host has not that much",
        cause=f"{wanted} wanted, {there} there",
        remedy=f"lower `{key}` under [size] in dsvm.toml, or leave it out for half of the host",
    )


def _too_small(key: str, wanted: int, least: int) -> DsvmError:
    return DsvmError(
        f"[size] {key}: too small for a machine",
        cause=f"{human(wanted)} wanted, {human(least)} is the least",
        remedy=f"raise `{key}` under [size] in dsvm.toml",
    )
