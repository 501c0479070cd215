"""What this host has: memory, CPUs, disk, GPU, and what its kernel allows."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
from pathlib import Path

from dsvm import namespaces
from dsvm.engines.nspawn import limits
from dsvm.home import Home
from dsvm.host.finding import Finding
from dsvm.programs import ProgramFailed, run

MIB = 1024**2
GIB = 1024**3
# A starter machine: 2.5 GB of image, as much again of downloads, and room to work.
DISK_WANTED = 10 * GIB
MEMORY_WANTED = 4 * GIB
NVIDIA_TIMEOUT_S = 20
# <linux/kvm.h>: _IO(KVMIO, 0x00)
KVM_GET_API_VERSION = 0xAE00


def system() -> Finding:
    names = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    title = names.get("PRETTY_NAME", platform.system())
    return Finding(
        "system", True, f"{title}, Linux {platform.release()}, {platform.machine()}", group="host"
    )


def cpus() -> Finding:
    mine, all_ = len(os.sched_getaffinity(0)), os.cpu_count() or 1
    text = f"{mine}" if mine == all_ else f"{mine} of {all_} are given to this process"
    return Finding("CPUs", True, text, group="host")


def memory() -> Finding:
    """Of the host, or of the control group dsvm runs in when that is less."""
    has = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    total = _kib(has["MemTotal"])
    free = _kib(has["MemAvailable"])
    limits = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
    for limit in map(Path, limits):
        text = limit.read_text().strip() if limit.exists() else "max"
        if text != "max":
            total = min(total, int(text))
    enough = free >= MEMORY_WANTED
    return Finding(
        "memory",
        enough,
        f"{total / GIB:.1f} GiB, {free / GIB:.1f} GiB free",
        remedy=None if enough else "a starter machine wants 4 GiB: stop other programs or machines",
        group="host",
    )


def disk(home: Home) -> Finding:
    """Room where dsvm keeps everything."""
    held = next(folder for folder in (home.root, *home.root.parents) if folder.exists())
    free = shutil.disk_usage(held).free
    if not os.access(held, os.W_OK):
        return Finding(
            "disk",
            False,
            f"{home.root} cannot be written",
            remedy="set DSVM_HOME to a folder of yours",
            group="host",
        )
    enough = free >= DISK_WANTED
    return Finding(
        "disk",
        enough,
        f"{free / GIB:.1f} GiB free at {home.root}",
        remedy=None if enough else "`dsvm gc`, or set DSVM_HOME to a folder on a larger disk",
        group="host",
    )


def gpu() -> Finding:
    """NVIDIA GPUs as `nvidia-smi` names them; a GPU without its driver is a failure."""
    devices = [
        entry
        for entry in Path("/sys/bus/pci/devices").glob("*")
        if _read(entry / "vendor") == "0x10de" and _read(entry / "class").startswith("0x03")
    ]
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        names = run(query, timeout_s=NVIDIA_TIMEOUT_S).stdout.strip().splitlines()
    except ProgramFailed as failed:
        if not devices:
            return Finding("GPU", True, "none", group="host")
        return Finding(
            "GPU",
            False,
            f"{len(devices)} NVIDIA GPU(s) on the bus, but {failed.what}",
            remedy="install NVIDIA's driver for this kernel; until then machines use the CPU",
            group="host",
        )
    return Finding("GPU", True, "; ".join(names), group="host")


def user_namespaces() -> Finding:
    """By trying what a build by this user does; root needs none."""
    if os.geteuid() == 0:
        return Finding("user namespaces", True, "not needed to build as root", group="host")
    if found := namespaces.refusal():
        return Finding("user namespaces", False, found.reason, remedy=found.remedy, group="host")
    return Finding("user namespaces", True, "allowed: builds need no root", group="host")


def machines_at_once() -> Finding:
    """Whether one more machine of the engine nspawn finds what machines share of this host."""
    said = f"{limits.SETTING} is {limits.limit()}; a machine takes about ten"
    if limits.room():
        return Finding("inotify", True, said, group="host")
    if os.geteuid() == 0:
        text = f"{said}: none are left for one more, `dsvm start` raises it"
        return Finding("inotify", None, text, group="host")
    return Finding("inotify", None, f"{said}: few are left", remedy=limits.remedy(), group="host")


def kvm() -> Finding:
    """The device only: whether a virtual CPU really runs is for the qemu engine to try."""
    device = Path("/dev/kvm")
    if not device.exists():
        return Finding(
            "KVM",
            None,
            "no /dev/kvm",
            remedy="enable virtualisation in the firmware or, in a VM, nested virtualisation",
            group="host",
        )
    try:
        handle = os.open(device, os.O_RDWR | os.O_CLOEXEC)
        try:
            version = fcntl.ioctl(handle, KVM_GET_API_VERSION)
        finally:
            os.close(handle)
    except OSError as refused:
        return Finding(
            "KVM",
            None,
            f"/dev/kvm: {refused.strerror}",
            remedy="add yourself to the group kvm: sudo usermod -aG kvm $USER",
            group="host",
        )
    return Finding(
        "KVM", None, f"/dev/kvm answers (API {version}); no virtual CPU was run", group="host"
    )


def _kib(text: str) -> int:
    return int(text.split()[0]) * 1024


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
