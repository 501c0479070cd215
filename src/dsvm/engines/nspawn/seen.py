"""Shows a machine its own size where programs look for it, instead of the host's.

Python's `os.cpu_count`, R's `detectCores`, `free` and psutil do not ask control groups: they read
/sys/devices/system/cpu/online, /proc/cpuinfo and /proc/meminfo. Files of the supervisor, bound
over these, tell what the machine has; memory is counted anew every `REFRESH_S` seconds.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from dsvm.engines.nspawn.cgroups import Cgroup, cpu_list

REFRESH_S = 2.0
ONLINE = Path("/sys/devices/system/cpu/online")
CPUINFO = Path("/proc/cpuinfo")
MEMINFO = Path("/proc/meminfo")
KIB = 1024


class Seen:
    """The files below `folder`, one for each path of the machine that they lie over."""

    def __init__(self, folder: Path, cgroup: Cgroup) -> None:
        self._cgroup = cgroup
        self._files = {path: folder / path.name for path in (ONLINE, CPUINFO, MEMINFO)}

    def refresh(self) -> dict[Path, Path]:
        """Write what there is to tell; path inside -> file, of those that can be told."""
        texts = self._texts()
        for path, text in texts.items():
            _overwrite(self._files[path], text)
        return {path: self._files[path] for path in texts}

    def _texts(self) -> dict[Path, str]:
        found = {}
        cpus = self._cgroup.cpus()
        if cpus:
            found[ONLINE] = cpus + "\n"
            found[CPUINFO] = cpuinfo(CPUINFO.read_text(), set(cpu_list(cpus)))
        memory = self._cgroup.memory()
        if memory:
            found[MEMINFO] = meminfo(*memory)
        return found


def cpuinfo(host: str, cpus: set[int]) -> str:
    """The host's text, of these processors only, where it tells them apart by number."""
    blocks = host.rstrip("\n").split("\n\n")
    kept = [block for block in blocks if _number(block) is None or _number(block) in cpus]
    return "\n\n".join(kept) + "\n\n"


def meminfo(limit: int, used: int, parts: Mapping[str, int]) -> str:
    """In the words of proc(5). `parts` are bytes: file, inactive_file, active_file, shmem."""
    cached = parts.get("file", 0)
    reclaimable = parts.get("inactive_file", 0) + parts.get("active_file", 0)
    free = max(0, limit - used)
    values = {
        "MemTotal": limit,
        "MemFree": free,
        "MemAvailable": min(limit, free + reclaimable),
        "Buffers": 0,
        "Cached": cached,
        "SwapCached": 0,
        "Active": parts.get("active_anon", 0) + parts.get("active_file", 0),
        "Inactive": parts.get("inactive_anon", 0) + parts.get("inactive_file", 0),
        "SwapTotal": 0,
        "SwapFree": 0,
        "Shmem": parts.get("shmem", 0),
        "SReclaimable": 0,
    }
    return "".join(f"{name + ':':<16}{value // KIB:>11} kB\n" for name, value in values.items())


def _number(block: str) -> int | None:
    name, _, value = block.partition("\n")[0].partition(":")
    with suppress(ValueError):
        if name.strip() == "processor":
            return int(value)
    return None


def _overwrite(file: Path, text: str) -> None:
    """In place and at once: the machine has this very file open or bound."""
    data = text.encode()
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT, 0o444)
    try:
        os.pwrite(descriptor, data, 0)
        os.ftruncate(descriptor, len(data))
    finally:
        os.close(descriptor)
