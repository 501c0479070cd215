"""How large a machine is: sizes as people write them, and half of the host by default."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from dsvm.definition.model import Accelerator, SizeDefinition

KIB, MIB, GIB, TIB = (1024**power for power in (1, 2, 3, 4))
SMALLEST_MEMORY = 512 * MIB
SMALLEST_DISK = 4 * GIB
LARGEST_MEMORY = LARGEST_DISK = 16 * TIB
DEFAULT_DISK = 40 * GIB

_UNITS = {"K": KIB, "M": MIB, "G": GIB, "T": TIB}
_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?([KMGT])(?:i?B)?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Host:
    """What this host could give at most: CPUs, memory in bytes."""

    cpus: int
    memory: int


@dataclass(frozen=True)
class ByteSize:
    """A machine's size: CPUs, memory in bytes, disk in bytes, accelerator."""

    cpus: int
    memory: int
    disk: int
    accelerator: Accelerator = "auto"


def parse_bytes(text: str) -> int:
    """`4G`, `512M`, `1.5GiB` in bytes; the units are binary. Raises ValueError."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"no size: {text!r}")
    return int(float(match.group(1)) * _UNITS[match.group(2).upper()])


def format_bytes(count: int) -> str:
    """`4G`, `1536M`: the shortest whole form that `parse_bytes` reads back."""
    for unit, factor in (("T", TIB), ("G", GIB), ("M", MIB)):
        if count % factor == 0 and count >= factor:
            return f"{count // factor}{unit}"
    return f"{-(-count // KIB)}K"


def this_host() -> Host:
    """CPUs this process may use, and the memory of the host or of the cgroup it is in."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Host(len(os.sched_getaffinity(0)), min([memory, *_cgroup_limits()]))


def _cgroup_limits() -> list[int]:
    """Limits of containers. cgroup v1 says "none" by a number larger than any memory."""
    root = Path("/sys/fs/cgroup")
    limits = []
    for file in (root / "memory.max", root / "memory/memory.limit_in_bytes"):
        try:
            limits.append(int(file.read_text()))
        except (OSError, ValueError):
            continue
    return limits


def default_size(host: Host) -> ByteSize:
    """Half of the host, at least one CPU and 1 GiB; a disk of 40 GiB that grows as it is used."""
    memory = max(GIB, host.memory // 2 // (256 * MIB) * (256 * MIB))
    return ByteSize(max(1, host.cpus // 2), memory, DEFAULT_DISK)


def size_of(wanted: SizeDefinition, host: Host) -> ByteSize:
    """The size a definition asks for; what it leaves out is `default_size`."""
    default = default_size(host)
    return ByteSize(
        cpus=wanted.cpus or default.cpus,
        memory=parse_bytes(wanted.memory) if wanted.memory else default.memory,
        disk=parse_bytes(wanted.disk) if wanted.disk else default.disk,
        accelerator=wanted.accelerator,
    )
