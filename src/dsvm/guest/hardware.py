"""Which accelerator is really usable. Present but unusable is told, never passed over."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path

NVIDIA = "0x10de"
DISPLAY_CLASSES = ("0x0300", "0x0302")
CONTAINER_MARK = Path("/run/systemd/container")


@dataclass(frozen=True)
class Gpu:
    """`present`: there is one; `problem`: why it cannot be used (None: it can)."""

    present: bool
    problem: str | None = None

    @property
    def usable(self) -> bool:
        return self.present and self.problem is None


def nvidia(
    *,
    pci: Path = Path("/sys/bus/pci/devices"),
    proc: Path = Path("/proc"),
    dev: Path = Path("/dev"),
) -> Gpu:
    """Look for an NVIDIA GPU and try its driver.

    In a container the host's PCI tree shines through, so there a GPU is one whose device node was
    handed in.
    """
    nodes = [node for node in dev.glob("nvidia[0-9]*") if node.name[6:].isdigit()]
    present = bool(nodes) if CONTAINER_MARK.exists() else bool(nodes) or _on_pci(pci)
    if not present:
        return Gpu(False)
    if not (proc / "driver" / "nvidia" / "version").exists():
        return Gpu(True, "the NVIDIA driver is not loaded")
    return Gpu(True, _driver_problem())


def _on_pci(pci: Path) -> bool:
    return any(
        _text(device / "vendor") == NVIDIA and _text(device / "class")[:6] in DISPLAY_CLASSES
        for device in pci.glob("*")
    )


def _driver_problem() -> str | None:
    """Ask the driver itself: cuInit and the number of devices (CUDA driver API)."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError as missing:
        return f"the driver's library cannot be loaded: {missing}"
    if status := cuda.cuInit(0):
        return f"the driver does not start (cuInit returned {status})"
    count = ctypes.c_int(0)
    if status := cuda.cuDeviceGetCount(ctypes.byref(count)):
        return f"the driver finds no device (cuDeviceGetCount returned {status})"
    return None if count.value else "the driver counts 0 devices"


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
