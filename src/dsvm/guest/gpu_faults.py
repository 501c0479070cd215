"""Why a GPU that is there is not used: one cause in one sentence, and what to do about it."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dsvm.guest.cuda import Attempt
from dsvm.guest.gpus import Gpu
from dsvm.guest.nvml import VERSION_MISMATCH, NvmlError
from dsvm.guest.system import text

# The variable of UEFI with four bytes of attributes before its value: efivarfs(7).
SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
# CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, CUDA_ERROR_SYSTEM_NOT_READY, CUDA_ERROR_NO_DEVICE.
MISMATCH, NOT_READY, NO_DEVICE = 803, 802, 100
# Debian calls the module of its package otherwise than its maker.
MODULE = re.compile(r"^\S*/nvidia(-current)?(-open)?\.ko", re.M)
# CUDA's major version: the driver that knows it, and the least compute capability that it serves.
# https://docs.nvidia.com/deploy/cuda-compatibility/ and the release notes of 12.0 and 13.0.
CUDA = {
    11: ("450.80.02", (3, 5)),
    12: ("525.60.13", (5, 0)),
    13: ("580.65.06", (7, 5)),
}

Opens = Callable[[Path], int]


@dataclass(frozen=True)
class Fault:
    """`cause` is one of few words, for programs; `text` and `remedy` are sentences."""

    cause: str
    text: str
    remedy: str

    def sentence(self) -> str:
        """What the machine says of it."""
        return f"a GPU is there but unused: {self.text}; {self.remedy}"


def opens(path: Path) -> int:
    """0, or the error number of opening the device."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except OSError as refused:
        return refused.errno or errno.EIO
    return 0


def of_kernel(root: Path, gpu: Gpu, release: str) -> Fault | None:
    """What keeps the kernel from driving it; None: the driver of NVIDIA is loaded."""
    if (root / "proc/driver/nvidia/version").exists():
        return None
    if gpu.module and gpu.module != "nvidia":
        return Fault(
            "other driver",
            f"the kernel's driver `{gpu.module}` holds it, not that of NVIDIA",
            f"take `{gpu.module}` from it, or give the GPU to this machine, and restart",
        )
    if not MODULE.search(text(root / "lib/modules" / release / "modules.dep")):
        return Fault(
            "no module",
            f"there is no module of NVIDIA's driver for the kernel {release}",
            f"install the driver's module for {release}, or start the kernel it was built for",
        )
    if _bytes(root / SECURE_BOOT)[4:5] == b"\x01":
        return Fault(
            "secure boot",
            "the module is there, but Secure Boot keeps the kernel from loading it",
            "enrol the key that signed the module (`mokutil --import`), or switch Secure Boot off",
        )
    return Fault(
        "not loaded",
        "the module of the driver is there but not loaded",
        "`modprobe nvidia` says why; `journalctl -k` has the kernel's words",
    )


def of_nodes(root: Path, gpu: Gpu, opener: Opens = opens) -> Fault | None:
    """What keeps programs from opening the devices."""
    for node in _nodes(gpu):
        place = root / node.lstrip("/")
        status = opener(place)
        if status == errno.ENOENT:
            return Fault(
                "no device node",
                f"the device node {node} is missing",
                "`nvidia-modprobe -u -c 0` makes it; a container must be given it",
            )
        if status == errno.EPERM:
            return Fault(
                "cgroup",
                f"the cgroup of this machine does not allow {node}",
                "allow the device where the machine is started (systemd: `DeviceAllow=`)",
            )
        if status == errno.EACCES or (not status and place.stat().st_mode & 0o006 != 0o006):
            return Fault(
                "not permitted",
                f"not everybody may open the device node {node}",
                f"`chmod 666 {node}`, or NVreg_DeviceFileMode=0666 for the module",
            )
        if status:
            return Fault("no answer", f"{node} cannot be opened: {os.strerror(status)}", _RESTART)
    return None


def of_library(error: NvmlError | None, tried: Attempt) -> Fault | None:
    """What the driver's own libraries say; None: a kernel ran and its numbers are right."""
    if tried.missing:
        return Fault(
            "library path",
            f"the driver's library is not found: {tried.problem}",
            "put libcuda.so.1 of the driver's version where `ldconfig -p` lists it",
        )
    if tried.status == MISMATCH or (error and error.status == VERSION_MISMATCH):
        return Fault(
            "version mismatch",
            "the driver's libraries and its loaded module have different versions",
            "restart, so that the module of the new version is loaded",
        )
    if tried.status == NOT_READY:
        return Fault(
            "not ready",
            "the GPU's fabric is not set up, as the GPUs of one board need it",
            "start NVIDIA's Fabric Manager of the driver's version",
        )
    if tried.problem:
        return Fault("no kernel ran", f"no kernel runs on it: {tried.problem}", _RESTART)
    return None


def of_toolkit(cuda: str | None, capability: str | None, wanted: str | None) -> Fault | None:
    """Whether a driver that knows `cuda`, and a GPU of this capability, serve a build's CUDA.

    Within a major version an older driver serves a newer toolkit ("minor version compatibility").
    """
    if wanted is None:
        return None
    major = int(wanted.split(".")[0])
    driver, least = CUDA.get(major, (None, None))
    if cuda and int(cuda.split(".")[0]) < major:
        newer = f"a driver of version {driver} or later" if driver else "a newer driver"
        return Fault(
            "driver too old",
            f"the driver knows CUDA {cuda} at most, and this build needs {wanted}",
            f"install {newer}, or ask for an older build",
        )
    if capability and least and tuple(map(int, capability.split("."))) < least:
        needed = ".".join(map(str, least))
        return Fault(
            "GPU too old",
            f"its compute capability is {capability}, and CUDA {major} needs {needed}",
            f"ask for a build for CUDA {major - 1}, or use the CPU",
        )
    return None


_RESTART = "`journalctl -k | grep -i nvrm` has the driver's words; restart the machine"


def _nodes(gpu: Gpu) -> Iterator[str]:
    yield from ("/dev/nvidiactl", "/dev/nvidia-uvm")
    yield gpu.node or "/dev/nvidia0"


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
