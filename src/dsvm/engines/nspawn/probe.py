"""Whether machines run here: boots a tiny one with every mechanism that a real one uses.

The tiny machine is a shell with its libraries on an ext4 disk, reached through qcow2, FUSE and a
loop device; it sees an EROFS layer, lays an overlay on it, and waits for its network.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

import dsvm
from dsvm import scratch
from dsvm.engines.base import AttachedLayer, EngineMachine, Size, Unusable, Usable
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.programs import run, which
from dsvm.whole import write_whole

# It moved with QEMU 8: the last releases that have it at the old place.
_OLD_STORAGE_PACKAGE = {"debian": 12.0, "ubuntu": 23.04}


def _storage_package(os_release: Path = Path("/etc/os-release")) -> str:
    try:
        lines = os_release.read_text(encoding="utf-8").splitlines()
        fields = {name: value.strip('"') for name, _, value in (x.partition("=") for x in lines)}
        old = float(fields["VERSION_ID"]) <= _OLD_STORAGE_PACKAGE[fields["ID"]]
    except (OSError, ValueError, KeyError):
        old = False
    return "qemu-system-common" if old else "qemu-utils"


PROGRAMS = {
    "systemd-nspawn": "systemd-container",
    "qemu-storage-daemon": _storage_package(),
    "qemu-img": "qemu-utils",
    "pasta": "passt",
    "mount": "mount",
    "mke2fs": "e2fsprogs",
    "resize2fs": "e2fsprogs",
    "e2fsck": "e2fsprogs",
    "sfdisk": "fdisk",
}
"""Program -> package of Debian and Ubuntu."""

ALLOWED = (
    "/proc/sys/kernel/random/boot_id",
    "/proc/sys/kernel/unprivileged_userns_clone",
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
    "/proc/sys/user/max_user_namespaces",
)
"""What an administrator may have changed since: user namespaces, at the latest by a new boot."""

ROOT_IS_ROOT = "root inside is root outside: no user namespace"

INIT = "/probe"
READY = "ok"
MIB = 1 << 20
DISK_BYTES = 32 * MIB
MEMORY_BYTES = 256 * MIB
INSIDE = ("sh", "mount", "mkdir", "sleep", "cat", "sync")
SCRIPT = """#!/bin/sh
# What a machine does at its boot, in small. One that works says `ok` and waits to be stopped.
set -e
export PATH=/bin
mkdir -p /upper /work /over
mount -t overlay overlay -o userxattr,lowerdir=/run/dsvm/layers/probe,upperdir=/upper,\
workdir=/work /over
echo written > /over/new
cat /run/dsvm/seed/probe > /dev/null
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  case "$(cat /proc/net/dev)" in *eth*|*en*|*wl*|*tap*|*usb*) echo ok; exec sleep 60 ;; esac
  sleep 0.1
done
echo no network
exit 1
"""
Boot = Callable[[EngineMachine, str, bool], None]


def probe(home: Home, boot: Boot, *, force: bool = False) -> Usable | Unusable:
    """The answer of `boot`ing here, remembered until the next boot of the host, or until what
    it stands on changes.

    `boot` runs a machine with the given first process, with or without user namespace, until it
    says `READY` on its console, and stops it. It raises `DsvmError` when the machine does not.
    """
    if refusal := _lacking():
        return refusal
    memory = home.cache / "probes" / "nspawn.json"
    key = _key()
    if not force and (known := _remembered(memory, key)):
        return known
    answer = _try(home, boot)
    if isinstance(answer, Usable):
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_whole(memory, json.dumps({"key": key, "notes": answer.notes}).encode())
    return answer


def _lacking() -> Unusable | None:
    if platform.system() != "Linux":
        return Unusable("it needs a Linux host")
    if os.geteuid() != 0:
        return Unusable("it needs root", "run dsvm as root (sudo)")
    missing = [name for name in PROGRAMS if which(name) is None]
    if missing:
        packages = " ".join(sorted({PROGRAMS[name] for name in missing}))
        return Unusable(
            f"programs are missing: {', '.join(missing)}",
            f"apt-get install -y --no-install-recommends {packages}",
        )
    for device, module in (("/dev/fuse", "fuse"), ("/dev/loop-control", "loop")):
        if not Path(device).exists():
            return Unusable(
                f"{device} is not there", f"modprobe {module}, or give it to this container"
            )
    return None


def _try(home: Home, boot: Boot) -> Usable | Unusable:
    home.cache.mkdir(parents=True, exist_ok=True)
    with scratch.folder("probe", home.cache) as folder:
        try:
            image = _image(folder)
        except (DsvmError, OSError) as failed:
            return Unusable(f"no disk for a probe could be made: {_short(failed)}")
        refusals: list[str] = []
        # Twice: to run without a user namespace is not to come of one unlucky moment.
        for name, userns in (("first", True), ("second", True), ("plain", False)):
            try:
                _boot(folder / name, image, boot, userns)
            except (DsvmError, OSError) as failed:
                refusals.append(_short(failed))
            else:
                return Usable(() if userns else (f"{ROOT_IS_ROOT} ({refusals[-1]})",))
    return Unusable(f"a machine was tried and did not boot: {refusals[-1]}", _remedy(refusals))


def _boot(folder: Path, image: Path, boot: Boot, userns: bool) -> None:
    folder.mkdir()
    seed = folder / "seed"
    seed.mkdir()
    (seed / "probe").write_text("probe\n", encoding="utf-8")
    layer = folder / "layer.erofs"
    layer.write_bytes(resources.files(__package__).joinpath("probe.erofs").read_bytes())
    disk = folder / "disk.qcow2"
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", image, "-F", "raw", disk])
    size = Size(cpus=1, memory=MEMORY_BYTES, disk=DISK_BYTES)
    machine = EngineMachine(
        name="dsvm-probe",
        folder=folder,
        disk=disk,
        root_offset=0,
        size=size,
        seed=seed,
        layers=(AttachedLayer("probe", layer),),
        ports={},
    )
    boot(machine, INIT, userns)


def _image(folder: Path) -> Path:
    """A raw ext4 disk with a shell, what it calls, and the libraries of both."""
    tree = folder / "tree"
    for name in ("bin", "dev", "etc", "proc", "run", "sys", "tmp", "usr/lib", "var"):
        (tree / name).mkdir(parents=True)
    # systemd-nspawn takes a tree for one of an operating system by this file.
    (tree / "etc" / "os-release").write_text("ID=dsvm-probe\n", encoding="utf-8")
    (tree / INIT.lstrip("/")).write_text(SCRIPT, encoding="utf-8")
    (tree / INIT.lstrip("/")).chmod(0o755)
    programs = [Path(which(name) or f"/bin/{name}") for name in INSIDE]
    for program in programs:
        shutil.copy(program, tree / "bin" / program.name)
    for library in _libraries(programs):
        target = tree / library.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    image = folder / "probe.raw"
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    run(["mke2fs", "-q", "-F", "-t", "ext4", "-E", "root_owner=0:0", "-d", tree, image])
    return image


def _libraries(programs: Sequence[Path]) -> list[Path]:
    """What `ldd` names: shared libraries and the loader, by the paths they are asked for."""
    said = run(["ldd", *programs]).stdout
    return sorted({Path(found) for found in re.findall(r"(/\S+) \(0x", said)})


def _key() -> str:
    """Changes with the boot, the kernel and what it allows, the programs, and dsvm itself."""
    parts = [platform.release(), platform.version(), dsvm.__version__]
    parts += [path.read_text().strip() for path in map(Path, ALLOWED) if path.exists()]
    for name in sorted(PROGRAMS):
        status = Path(which(name) or "/").stat()
        parts.append(f"{name} {status.st_mtime_ns} {status.st_size}")
    for file in sorted(Path(__file__).parent.glob("*.py")):
        parts.append(hashlib.sha256(file.read_bytes()).hexdigest())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _remembered(memory: Path, key: str) -> Usable | None:
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
        return Usable(tuple(known["notes"])) if known["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _short(failed: Exception) -> str:
    """In one line."""
    if isinstance(failed, DsvmError):
        text = f"{failed.what}: {failed.cause}" if failed.cause else failed.what
    else:
        text = str(failed)
    return " ".join(text.split())


def _remedy(refusals: Sequence[str]) -> str | None:
    said = " ".join(refusals)
    for word, remedy in (
        ("erofs", "the kernel lacks EROFS: modprobe erofs, or a kernel of 5.4 and later"),
        ("overlay", "the kernel lacks overlayfs: modprobe overlay"),
        ("loop", "no loop device can be used: modprobe loop"),
        ("fuse", "FUSE cannot be used: modprobe fuse"),
    ):
        if word in said.lower():
            return remedy
    return None
