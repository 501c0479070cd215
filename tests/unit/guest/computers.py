"""Files of /proc and /sys as kernels write them, below a folder that stands for a computer.

A kernel's own words, cut to the lines that are read: /proc/cpuinfo of virtual machines on an AMD
EPYC 9004 and an Arm Neoverse V2, NVIDIA's files as its driver's README has them.
"""

from __future__ import annotations

from pathlib import Path

H100 = "0000:01:00.0"
EPYC = """\
processor	: {number}
vendor_id	: AuthenticAMD
model name	: AMD EPYC
physical id	: 0
core id		: {core}
flags		: fpu lm fma avx2 avx512f avx512dq avx512cd avx512bw avx512vl avx512_bf16 avx512_vnni
"""
NEOVERSE = """\
processor	: {number}
BogoMIPS	: 2000.00
Features	: fp asimd asimddp sve sve2 i8mm bf16
CPU implementer	: 0x41
CPU part	: 0xd4f
"""
INFORMATION = """\
Model: 		 NVIDIA H100 80GB HBM3
IRQ:   		 67
GPU UUID: 	 GPU-00000000-0000-0000-0000-000000000000
Bus Type: 	 PCIe
Bus Location: 	 0000:01:00.0
Device Minor: 	 0
"""
VERSION = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.163.01  Tue Apr  8 12:41:17 UTC 2025\n"
)
NODES = ("nvidiactl", "nvidia-uvm", "nvidia0")


def put(root: Path, path: str, text: str) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def plain(root: Path, block: str = EPYC, threads: int = 2) -> Path:
    """A computer without a GPU."""
    blocks = [block.format(number=number, core=number // 2) for number in range(threads)]
    put(root, "proc/cpuinfo", "\n".join(blocks))
    put(root, "proc/meminfo", "MemTotal:       24684084 kB\nSwapTotal:       2097148 kB\n")
    put(root, "proc/self/status", f"Cpus_allowed:	3\nCpus_allowed_list:	0-{threads - 1}\n")
    put(root, "proc/self/cgroup", "0::/\n")
    return root


def device(
    root: Path, address: str, vendor: str, number: str, kind: str, driver: str | None = None
) -> Path:
    """A PCI device in sysfs."""
    folder = root / "sys/bus/pci/devices" / address
    for name, text in (("vendor", vendor), ("device", number), ("class", kind)):
        put(folder, name, f"0x{text}\n")
    if driver:
        place = root / "sys/bus/pci/drivers" / driver
        place.mkdir(parents=True, exist_ok=True)
        (folder / "driver").symlink_to(place)
    return folder


def with_h100(root: Path, *, driver: str | None = "nvidia") -> Path:
    """A computer with an NVIDIA GPU; with NVIDIA's driver all is as it must be."""
    device(plain(root), H100, "10de", "2330", "030200", driver)
    if driver == "nvidia":
        put(root, "proc/driver/nvidia/version", VERSION)
        put(root, f"proc/driver/nvidia/gpus/{H100}/information", INFORMATION)
        for node in NODES:
            put(root, f"dev/{node}", "").chmod(0o666)
    return root
