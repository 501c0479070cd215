"""A PCI device of the host in a virtual machine, by VFIO: what has to be so, and QEMU's options.

https://docs.kernel.org/driver-api/vfio.html. The devices of an IOMMU group cannot be kept apart,
so none of them may be another driver's. dsvm takes no device from a driver: it may be the display.
"""

from __future__ import annotations

import errno
import os
import re
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dsvm.engines.base import EngineMachine, Unusable
from dsvm.errors import DsvmError
from dsvm.guest.gpu_faults import opens
from dsvm.guest.gpus import gpus
from dsvm.guest.system import text

DRIVER = "vfio-pci"
BRIDGE = "0x06"
"""The base class of bridges: the PCI Code and ID Assignment Specification."""
GIB, MIB = 1 << 30, 1 << 20
# All memory of the machine is locked, and what else it maps: as much as libvirt adds.
BESIDES = GIB
# The firmware's window for large registers is 32 GiB; a GPU of 80 GB has one of 128 GiB.
WINDOW_LEAST = 64 * GIB
IORESOURCE_MEM = 0x200
"""<linux/ioport.h>"""
_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")


def locked_memory() -> int | None:
    """How many bytes this process may lock; None: as many as there are."""
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    return None if os.geteuid() == 0 or limit == resource.RLIM_INFINITY else limit


@dataclass(frozen=True)
class Host:
    """Where to look: the real host, or one that was recorded."""

    root: Path = Path("/")
    opens: Callable[[Path], int] = opens
    locked: Callable[[], int | None] = locked_memory

    def wanted(self, machine: EngineMachine) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Addresses of what the machine is given, and notes of what it is not.

        Raises `DsvmError` where a device that it names cannot be given.
        """
        memory = machine.size.memory
        if machine.devices is not None:
            for name in machine.devices:
                if refusal := self.refused(name, memory):
                    raise DsvmError(
                        f"the device {name} cannot be given to machine `{machine.name}`",
                        cause=refusal.reason,
                        remedy=refusal.remedy,
                    )
            return machine.devices, ()
        if machine.size.accelerator == "cpu":
            return (), ()
        given, notes = [], []
        for address in self.gpus():
            refusal = self.refused(address, memory)
            if refusal is None:
                given.append(address)
            else:
                remedy = f"; {refusal.remedy}" if refusal.remedy else ""
                notes.append(f"the GPU is not given to the machine: {refusal.reason}{remedy}")
        return tuple(given), tuple(notes)

    def gives(self, names: tuple[str, ...]) -> Unusable | None:
        """Of the names, or of NVIDIA's GPUs, the first refusal; of GPUs one is enough."""
        refusals = [self.refused(name) for name in names or self.gpus()]
        if not names and None in refusals:
            return None
        found = [refusal for refusal in refusals if refusal]
        none = Unusable("this host has no GPU of NVIDIA")
        return found[0] if found else None if names else none

    def gpus(self) -> tuple[str, ...]:
        """Addresses of those of NVIDIA."""
        return tuple(gpu.address for gpu in gpus(self.root) if gpu.vendor == "NVIDIA")

    def refused(self, name: str, memory: int = 0) -> Unusable | None:
        """Why a machine with so much memory cannot be given this device; None when it can."""
        if not _ADDRESS.fullmatch(name):
            return Unusable(
                f"`{name}` is a device of containers, and a virtual machine takes PCI devices",
                "name it by its address, as `dsvm hardware` shows it",
            )
        device = self._device(name)
        if not device.exists():
            return Unusable(
                f"there is no PCI device {name}", "`dsvm hardware` shows the addresses of GPUs"
            )
        for check in (self._group_of, self._held, self._group_held, self._node):
            if refusal := check(device):
                return refusal
        return self._lockable(memory)

    def argv(self, addresses: tuple[str, ...]) -> list[str]:
        """QEMU's options: each device behind a port of its own, as in a computer."""
        if not addresses:
            return []
        window = max(WINDOW_LEAST, _power(2 * sum(map(self._registers, addresses)))) // MIB
        argv = ["-fw_cfg", f"name=opt/ovmf/X-PciMmio64Mb,string={window}"]
        for number, address in enumerate(addresses):
            port = f"pcie-root-port,id=given{number},chassis={number + 1},slot={number + 1}"
            argv += ["-device", port, "-device", f"{DRIVER},host={address},bus=given{number}"]
        return argv

    def _device(self, address: str) -> Path:
        return self.root / "sys/bus/pci/devices" / address

    def _group_of(self, device: Path) -> Unusable | None:
        if (device / "iommu_group").exists():
            return None
        return Unusable(
            f"{device.name} is in no IOMMU group: the IOMMU is off",
            "switch on VT-d or AMD-Vi in the firmware and, with an Intel processor, start the "
            "kernel with intel_iommu=on",
        )

    def _held(self, device: Path) -> Unusable | None:
        driver = _driver(device)
        if driver == DRIVER:
            return None
        holds = f"the host's driver `{driver}` holds it" if driver else "no driver holds it"
        return Unusable(f"{device.name}: {holds}, not {DRIVER}", _override(device.name))

    def _group_held(self, device: Path) -> Unusable | None:
        for other in sorted((device / "iommu_group/devices").iterdir()):
            driver = _driver(other)
            if driver not in (None, DRIVER) and not text(other / "class").startswith(BRIDGE):
                return Unusable(
                    f"{other.name} is in the IOMMU group of {device.name}, and the host's driver "
                    f"`{driver}` holds it",
                    _override(other.name),
                )
        return None

    def _node(self, device: Path) -> Unusable | None:
        node = f"/dev/vfio/{(device / 'iommu_group').resolve().name}"
        status = self.opens(self.root / node.lstrip("/"))
        if status == errno.ENOENT:
            return Unusable(f"{node} is missing", f"`modprobe {DRIVER}`")
        if status == errno.EBUSY:
            return Unusable(
                f"another machine has {device.name}", "stop it, or give this one another device"
            )
        if status in (errno.EACCES, errno.EPERM):
            return Unusable(
                f"{node} is not yours to open",
                f"`sudo chown $USER {node}`, or a rule of udev for the subsystem vfio",
            )
        return Unusable(f"{node}: {os.strerror(status)}") if status else None

    def _lockable(self, memory: int) -> Unusable | None:
        limit, needed = self.locked(), memory + BESIDES
        if not memory or limit is None or limit >= needed:
            return None
        return Unusable(
            f"a machine with a device locks all of its memory, {needed // MIB} MiB with what it "
            f"maps, and you may lock {limit // MIB} MiB",
            f"`$USER - memlock {needed // 1024}` in /etc/security/limits.d/dsvm.conf, and log in "
            "anew; or a smaller machine",
        )

    def _registers(self, address: str) -> int:
        """Bytes of address space that the device asks for: sysfs's `resource`, a line each."""
        total = 0
        for line in text(self._device(address) / "resource").splitlines():
            start, end, flags = (int(word, 16) for word in line.split())
            if flags & IORESOURCE_MEM:
                total += end - start + 1
        return total


def _driver(device: Path) -> str | None:
    link = device / "driver"
    return link.resolve().name if link.exists() else None


def _override(address: str) -> str:
    return f"`driverctl set-override {address} {DRIVER}`, where nothing of the host needs it"


def _power(count: int) -> int:
    """The next power of two."""
    return 1 << max(0, count - 1).bit_length()
