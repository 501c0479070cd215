"""The processors and the memory of a computer, and what of them this process may use.

Read from /proc and /sys below `root`: proc(5), cgroups(7).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dsvm.guest.system import text

# What numerical libraries choose their kernels by: our name -> all of these flags of the kernel.
FEATURES = {
    "AVX2": ("avx2", "fma"),
    "AVX-512": ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"),
    "AVX-512 VNNI": ("avx512_vnni",),
    "AVX-512 BF16": ("avx512_bf16",),
    "AVX-512 FP16": ("avx512_fp16",),
    "AVX-VNNI": ("avx_vnni",),
    "AMX INT8": ("amx_tile", "amx_int8"),
    "AMX BF16": ("amx_tile", "amx_bf16"),
    "AMX FP16": ("amx_tile", "amx_fp16"),
    "NEON": ("asimd",),
    "dot product": ("asimddp",),
    "BF16": ("bf16", "asimd"),
    "I8MM": ("i8mm", "asimd"),
    "SVE": ("sve",),
    "SVE2": ("sve2",),
}
# An Arm processor tells two numbers, MIDR_EL1; of those that computers with a data centre's price
# or a laptop's have: linux/arch/arm64/include/asm/cputype.h.
ARM = {
    ("0x41", "0xd08"): "Arm Cortex-A72",
    ("0x41", "0xd0b"): "Arm Cortex-A76",
    ("0x41", "0xd0c"): "Arm Neoverse N1",
    ("0x41", "0xd40"): "Arm Neoverse V1",
    ("0x41", "0xd49"): "Arm Neoverse N2",
    ("0x41", "0xd4f"): "Arm Neoverse V2",
    ("0x41", "0xd84"): "Arm Neoverse V3",
    ("0x61", "0x022"): "Apple M1",
    ("0x61", "0x023"): "Apple M1",
    ("0x61", "0x032"): "Apple M2",
    ("0x61", "0x033"): "Apple M2",
    ("0xc0", "0xac3"): "AmpereOne",
}


@dataclass(frozen=True)
class Processors:
    """`cores`: as the kernel tells them; `threads`: those that are online.

    `usable` are the threads' worth of time that affinity and cgroups leave to this process.
    """

    model: str
    architecture: str
    cores: int
    threads: int
    usable: float
    features: tuple[str, ...]


@dataclass(frozen=True)
class Memory:
    """In bytes. `usable` is `total`, or what cgroups leave of it."""

    total: int
    usable: int
    swap: int


def processors(root: Path = Path("/")) -> Processors:
    """Raises `OSError` where there is no /proc."""
    listed = _processors(root)
    first = listed[0] if listed else {}
    flags = set((first.get("flags") or first.get("Features") or "").split())
    cores = {
        (one.get("physical id"), one.get("core id", number)) for number, one in enumerate(listed)
    }
    allowed = _allowed(root, len(listed))
    return Processors(
        model=_model(first),
        architecture=_architecture(flags),
        cores=len(cores),
        threads=len(listed),
        usable=min([float(allowed), *_quotas(root)]),
        features=tuple(name for name, needed in FEATURES.items() if flags.issuperset(needed)),
    )


def memory(root: Path = Path("/")) -> Memory:
    """Raises `OSError` where there is no /proc."""
    told = dict(re.findall(r"^(\w+): +(\d+) kB$", (root / "proc/meminfo").read_text(), re.M))
    total = int(told["MemTotal"]) * 1024
    return Memory(total, min([total, *_limits(root)]), int(told.get("SwapTotal", 0)) * 1024)


def _processors(root: Path) -> list[dict[str, str]]:
    """/proc/cpuinfo: a block each; what stands after the last one is of all of them."""
    blocks = (root / "proc/cpuinfo").read_text().strip().split("\n\n")
    pairs = [re.findall(r"^([^\t:]+?)\s*: ?(.*)$", block, re.M) for block in blocks]
    return [dict(block) for block in pairs if any(name == "processor" for name, _ in block)]


def _model(told: Mapping[str, str]) -> str:
    if name := told.get("model name"):
        return " ".join(name.split())
    numbers = told.get("CPU implementer", ""), told.get("CPU part", "")
    return ARM.get(numbers, f"Arm {':'.join(numbers)}" if all(numbers) else "unknown")


def _architecture(flags: set[str]) -> str:
    return "x86_64" if "lm" in flags else "aarch64" if "asimd" in flags else os.uname().machine


def _allowed(root: Path, threads: int) -> int:
    """How many threads the process may run on: /proc/self/status."""
    told = re.search(r"^Cpus_allowed_list:\s*(\S+)$", text(root / "proc/self/status"), re.M)
    if not told:
        return threads
    ranges = [part.split("-") for part in told[1].split(",")]
    return min(threads, sum(int(ends[-1]) - int(ends[0]) + 1 for ends in ranges))


def _quotas(root: Path) -> Iterator[float]:
    for folder in _cgroups(root, "cpu"):
        told = text(folder / "cpu.max").split()
        if not told:
            told = [text(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
        if len(told) == 2 and told[0].isdigit() and told[1].isdigit():
            yield int(told[0]) / int(told[1])


def _limits(root: Path) -> Iterator[int]:
    for folder in _cgroups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            if (told := text(folder / name)).isdigit():
                yield int(told)


def _cgroups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's cgroup and of those above it, of the old kind and the new.

    Inside a container the path may be that of the host, which is not there: then it is at the top.
    """
    top = root / "sys/fs/cgroup"
    for line in text(root / "proc/self/cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            mounted = top / "unified" if (top / "unified").is_dir() else top
        elif controller in controllers.split(","):
            mounted = top / controllers
            mounted = mounted if mounted.is_dir() else top / controller
        else:
            continue
        folder = mounted / path.lstrip("/")
        while folder.is_relative_to(mounted):
            yield folder
            folder = folder.parent
