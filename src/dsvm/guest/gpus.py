"""The GPUs of a computer, and what its kernel has for them: sysfs, and the driver's own files.

In a container the host's PCI devices shine through, whether or not it was given them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from dsvm.guest.nvml import Answer, Slice, Told
from dsvm.guest.system import text

VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}
# Display controllers (VGA, 3D and others), and processing accelerators without a display:
# the PCI Code and ID Assignment Specification.
DISPLAY, ACCELERATOR = "0x03", "0x1200"
NAMES = (Path("usr/share/misc/pci.ids"), Path("usr/share/hwdata/pci.ids"))


@dataclass(frozen=True)
class Gpu:
    """One GPU. `memory` in bytes; `module`: the kernel's driver that holds it.

    `node`: the device it is reached by. What nobody tells is None.
    """

    vendor: str
    name: str
    address: str
    module: str | None = None
    memory: int | None = None
    capability: str | None = None
    node: str | None = None
    mig: bool | None = None
    slices: tuple[Slice, ...] = field(default=())


def gpus(root: Path = Path("/"), told: Answer | None = None) -> tuple[Gpu, ...]:
    """All of them; `told` is what NVML says of NVIDIA's."""
    by_address = {one.address: one for one in told.gpus} if told else {}
    found = []
    for device in sorted((root / "sys/bus/pci/devices").glob("*")):
        vendor = VENDORS.get(text(device / "vendor"))
        kind = text(device / "class")
        if vendor and kind.startswith((DISPLAY, ACCELERATOR)):
            found.append(_gpu(root, device, vendor, by_address.get(device.name)))
    there = {gpu.address for gpu in found}
    found += [_told(one) for address, one in by_address.items() if address not in there]
    return tuple(found)


def _told(one: Told) -> Gpu:
    """What the driver says of one, which sysfs may not show: a container's /sys may be its own."""
    return Gpu(
        vendor="NVIDIA",
        name=one.name,
        address=one.address,
        memory=one.memory,
        capability=one.capability,
        mig=one.mig,
        slices=one.slices,
    )


def _gpu(root: Path, device: Path, vendor: str, told: Told | None) -> Gpu:
    numbers = text(device / "vendor")[2:], text(device / "device")[2:]
    driver = device / "driver"
    name = _name(root, device, *numbers) or f"{vendor} GPU {':'.join(numbers)}"
    one = _told(told) if told else Gpu(vendor, name, device.name, memory=_memory(device))
    module = driver.resolve().name if driver.exists() else None
    return replace(one, module=module, node=_node(root, device))


def _name(root: Path, device: Path, vendor: str, number: str) -> str | None:
    """What the driver calls it, else what the list of PCI devices has for its numbers."""
    about = nvidia_information(root, device.name)
    own = about.get("Model") or text(device / "product_name")
    if own and "Unknown" not in own:
        return own
    for names in NAMES:
        block = re.search(rf"^{vendor}  .*\n((?:[\t#].*\n)*)", text(root / names) + "\n", re.M)
        found = block and re.search(rf"^\t{number}  (.+)$", block[1], re.M)
        if found:
            return found[1].strip()
    return None


def nvidia_information(root: Path, address: str) -> Mapping[str, str]:
    """/proc/driver/nvidia/gpus/ADDRESS/information, of the driver's README."""
    place = root / "proc/driver/nvidia/gpus" / address / "information"
    return {name: " ".join(value.split())
            for name, value in re.findall(r"^([^:]+):\s*(.*)$", text(place), re.M)}  # fmt: skip


def _memory(device: Path) -> int | None:
    """AMD's driver tells it: https://docs.kernel.org/gpu/amdgpu/driver-misc.html."""
    told = text(device / "mem_info_vram_total")
    return int(told) if told.isdigit() else None


def _node(root: Path, device: Path) -> str | None:
    minor = nvidia_information(root, device.name).get("Device Minor")
    if minor:
        return f"/dev/nvidia{minor}"
    render = sorted((device / "drm").glob("renderD*"))
    return f"/dev/dri/{render[0].name}" if render else None
