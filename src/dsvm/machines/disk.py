"""A machine's disk: a qcow2 overlay on the image's raw disk, its root file system grown to size.

The disk itself, and the partition on it, are larger than the machine's size from the beginning
(`reach`); the size is that of the file system, which can then grow while the machine runs.

Nothing is mounted and no loop device is used: partition and file system are changed through a
storage daemon's FUSE export, in namespaces of their own, by root or by anyone who may make a user
namespace. Only what changes is written, so a new disk takes well under a second and a few MiB.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

import dsvm
from dsvm.engines.storage import IN_USE, DiskInUse
from dsvm.errors import DsvmError
from dsvm.machines.grow import LARGER_ALREADY
from dsvm.programs import ProgramFailed, run

GROW_TIMEOUT_S = 600.0
GIB, MIB = 1 << 30, 1 << 20
LEAST_REACH, TIMES = 256 * GIB, 4
GROWN = "disk.grown.qcow2"
"""What a larger size changes in the disk. Once it has this name it is written there, now or by who
next holds the machine: resize2fs that is killed midway leaves no whole file system."""
# Magic, version, offset of the backing file's name, size, encryption, incompatible features.
_HEADER = struct.Struct(">4sIQ8xQI36xQ")
_DIRTY = 1


def reach(size: int) -> int:
    """How large a disk is made for a machine of `size` bytes: so far it can grow as it runs.

    It costs nothing until it is written to, but for walks over all of it (a pack's, 1 s for
    256 GiB), so it is not simply the largest there is.
    """
    return max(TIMES * size, LEAST_REACH)


def root_bytes(size: int, root_offset: int) -> int:
    """How much the root file system takes of a machine's `size`: all but what lies before it and
    the table's copy behind it, in whole MiB."""
    return (size - root_offset - MIB) // MIB * MIB


def create_disk(
    image: Path, disk: Path, size: int, root_offset: int, *, log: Path | None = None
) -> None:
    """Make `disk` on the raw `image`, `size` bytes large for the machine, whole or not at all.

    Raises `DsvmError` when the size is below the image's, `ProgramFailed`.
    """
    there = image.stat().st_size
    if size < there:
        raise _too_small(disk, size, f"its image has {there} bytes", -(-there // GIB))
    partial = disk.with_name(f"{disk.name}.partial")
    partial.unlink(missing_ok=True)
    argv: list[str | Path] = ["qemu-img", "create", "-q", "-f", "qcow2"]
    argv += ["-b", image.resolve(), "-F", "raw", partial, str(reach(size))]
    try:
        run(argv, log=log)
        _grow(partial, root_bytes(size, root_offset), log)
        partial.replace(disk)
    finally:
        partial.unlink(missing_ok=True)


def grow_disk(disk: Path, size: int, root_offset: int, *, log: Path | None = None) -> None:
    """Let a stopped machine have `size` bytes; a disk of that size already is left as it is.

    Killed at any moment the disk is what it was, or `finish_growth` makes it what it shall be.
    Raises `DiskInUse` while the machine runs, `DsvmError` for a smaller size.
    """
    grown = disk.with_name(GROWN)
    partial = grown.with_name(f"{GROWN}.partial")
    partial.unlink(missing_ok=True)
    large = max(reach(size), disk_size(disk))
    argv: list[str | Path] = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2"]
    _run_unlocked(disk, [*argv, "-b", disk.absolute(), partial, str(large)], log)
    try:
        _grow(partial, root_bytes(size, root_offset), log)
        flush(partial)
        partial.replace(grown)
        flush(grown.parent)
    finally:
        partial.unlink(missing_ok=True)
    finish_growth(disk, log=log)


def finish_growth(disk: Path, *, log: Path | None = None) -> None:
    """Write to a disk that nobody uses what growing it has changed; nothing to do: nothing.

    Safe to repeat after it was interrupted. Raises `DiskInUse`, `ProgramFailed`.
    """
    grown = disk.with_name(GROWN)
    grown.with_name(f"{GROWN}.partial").unlink(missing_ok=True)
    if grown.exists():
        _run_unlocked(disk, ["qemu-img", "commit", "-q", "-d", "-f", "qcow2", grown], log)
        flush(disk)
        grown.unlink()
        flush(disk.parent)  # written once more after the machine has gone on, it would harm


def flush(path: Path) -> None:
    """What was written to this file, or folder, survives a power cut once this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def clean_disk(disk: Path, *, log: Path | None = None) -> None:
    """Take from a disk nobody uses what its host told it (see `dsvm.machines.clean`)."""
    _in_namespaces("dsvm.machines.clean", disk, log)


def split_disk(disk: Path, image: Path, *, log: Path | None = None) -> None:
    """Gather all that lies between `disk` and the raw `image` in `disk`, which then names no
    file below it. Raises `ProgramFailed`."""
    run(["qemu-img", "rebase", "-q", "-f", "qcow2", "-F", "raw", "-b", image, disk], log=log)
    run(["qemu-img", "rebase", "-q", "-u", "-f", "qcow2", "-b", "", disk], log=log)


def adopt_disk(disk: Path, image: Path, size: int, *, log: Path | None = None) -> None:
    """Put a disk that was split from an image on the raw `image`, which need not be here yet.

    The disk may come from anyone: it must be a plain qcow2 that leads to no other file, and that
    some dsvm could have made for a machine of `size` bytes. Raises `DsvmError`.
    """
    wrong = _foreign(disk, size)
    if wrong:
        raise DsvmError("the disk of the machine is refused", cause=wrong)
    check_disk(disk, log=log)  # before it leads to the image, without which it cannot be opened
    argv: list[str | Path] = ["qemu-img", "rebase", "-q", "-u", "-f", "qcow2", "-F", "raw"]
    run([*argv, "-b", image.absolute(), disk], log=log)


def _foreign(disk: Path, size: int) -> str | None:
    """What of a qcow2 header is not as `split_disk` leaves it (QEMU, docs/interop/qcow2.txt)."""
    with disk.open("rb") as file:
        header = file.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return "it is too short for a qcow2"
    magic, version, backing, virtual, encrypted, features = _HEADER.unpack(header)
    if (magic, version) != (b"QFI\xfb", 3):
        return "it is no qcow2 of version 3"
    if backing:
        return "it names a file below it"
    if not size <= virtual <= reach(size):
        return f"it has {virtual} bytes, the machine's record says {size}"
    if encrypted or features & ~_DIRTY:
        return "it is encrypted, or keeps its data in another file"
    return None


def disk_size(disk: Path) -> int:
    """How large the disk is in bytes; its file system may be smaller."""
    return int(_info(disk)["virtual-size"])


def disk_used(disk: Path) -> int:
    """Bytes that the disk takes on the host, the image under it not counted."""
    return int(_info(disk)["actual-size"])


def check_disk(disk: Path, *, log: Path | None = None) -> None:
    """Raise `DsvmError` when the qcow2 file is damaged, `DiskInUse` while the machine runs.

    What a kill leaves behind is no damage, but clusters that were taken and not yet used: a qcow2's
    writer orders it so. They are given back.
    """
    argv: list[str | Path] = ["qemu-img", "check", "-q", "-f", "qcow2", "-r", "leaks", disk]
    _run_unlocked(disk, argv, log)


def _info(disk: Path) -> dict[str, int]:
    # -U: sizes may be asked of a running machine's disk.
    said = run(["qemu-img", "info", "-U", "--output=json", disk]).stdout
    return dict(json.loads(said))


def _too_small(disk: Path, size: int, cause: str, gib: int) -> DsvmError:
    return DsvmError(
        f"a disk of {size} bytes is too small for {disk.parent.name}",
        cause=cause,
        remedy=f"ask for {gib}G or more in [size] disk",
    )


def _grow(disk: Path, length: int, log: Path | None) -> None:
    try:
        _in_namespaces("dsvm.machines.grow", disk, log, str(length))
    except ProgramFailed as failed:
        if LARGER_ALREADY not in failed.output:
            raise
        there = int(failed.output.split()[-2])
        cause = f"its file system has {there} bytes already, and does not shrink"
        raise _too_small(disk, length, cause, -(-there // GIB)) from None


def _in_namespaces(module: str, disk: Path, log: Path | None, *words: str) -> None:
    argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        argv += ["--user", "--map-root-user"]
    argv += [sys.executable, "-m", module, str(disk), *words]
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
    env = {"PYTHONPATH": str(Path(dsvm.__file__).parents[1]), "PATH": path}
    _run_unlocked(disk, argv, log, env)


def _run_unlocked(
    disk: Path,
    argv: Sequence[str | Path],
    log: Path | None,
    env: dict[str, str] | None = None,
) -> None:
    try:
        run(argv, log=log, env=env, timeout_s=GROW_TIMEOUT_S)
    except ProgramFailed as failed:
        if IN_USE in failed.output:
            raise DiskInUse(
                f"the disk {disk} is in use", remedy="stop the machine first", log=log
            ) from None
        raise
