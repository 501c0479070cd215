"""The files of a machine's snapshots: each froze the disk it was, the next one lies on it.

snapshots/<id>/
  snapshot.json   SnapshotRecord; written first, so a folder without `disk.qcow2` is half made
  disk.qcow2      what the machine's disk was: nobody writes to it again
  next.qcow2      another name of the disk that goes on there
  seed/           what the guest was told then
disk.next.qcow2   a name of the machine's next disk, until that takes the place of `disk.qcow2`
restore.json      what a restore is about to put in place; there until all of it is
disk.grown.qcow2  what a larger size changes in `disk.qcow2`; see `dsvm.machines.disk`

A snapshot links the disk to its folder, then renames an empty overlay over it. Killed in between,
both names are one file: `settle` goes on from there. The overlay is whole before the link is made,
so nothing of what the machine writes is ever in a file that no name leads to. It keeps its name
there, for the QEMU that runs a machine opens it by that name again when it is frozen itself.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from dsvm.machines.disk import finish_growth, flush
from dsvm.programs import run
from dsvm.whole import write_whole

DISK = "disk.qcow2"
NEXT = "disk.next.qcow2"
OVERLAY = "next.qcow2"
SNAPSHOTS = "snapshots"
SNAPSHOT = "snapshot.json"
RESTORE = "restore.json"
RECORD = "machine.json"
SEED = "seed"


def frozen_disk(folder: Path, snapshot: str) -> Path:
    return folder / SNAPSHOTS / snapshot / DISK


def begin_overlay(folder: Path, snapshot: str, size: int) -> Path:
    """The empty disk of `size` bytes that goes on where the new snapshot will end."""
    overlay = frozen_disk(folder, snapshot).with_name(OVERLAY)
    _create(overlay, frozen_disk(folder, snapshot), size)
    return overlay


def take_place(folder: Path, overlay: Path) -> None:
    """That disk becomes the machine's."""
    (folder / NEXT).unlink(missing_ok=True)
    os.link(overlay, folder / NEXT)
    (folder / NEXT).replace(folder / DISK)
    flush(folder)


def begin_restore(folder: Path, snapshot: str, record: str, size: int) -> None:
    """Write down what is to come; `settle` does it, now or after a kill."""
    told = {"snapshot": snapshot, "record": record, "size": size}
    write_whole(folder / RESTORE, json.dumps(told).encode(), mode=0o600, synced=True)


def settle(folder: Path) -> None:
    """Finish, or take back, what a killed snapshot, restore or growth left. By who holds the
    machine."""
    finish_growth(folder / DISK)
    if (folder / RESTORE).exists():
        _finish_restore(folder)
    for place in sorted((folder / SNAPSHOTS).glob("*/")):
        frozen = place / DISK
        if not frozen.exists() or not (place / SNAPSHOT).exists():
            shutil.rmtree(place)
        elif _same(frozen, folder / DISK):
            take_place(folder, place / OVERLAY)
    (folder / NEXT).unlink(missing_ok=True)


def _finish_restore(folder: Path) -> None:
    told = json.loads((folder / RESTORE).read_text(encoding="utf-8"))
    _create(folder / NEXT, frozen_disk(folder, told["snapshot"]), told["size"])
    (folder / NEXT).replace(folder / DISK)
    flush(folder)
    for file in (folder / SNAPSHOTS / told["snapshot"] / SEED).iterdir():
        write_whole(folder / SEED / file.name, file.read_bytes(), mode=0o600)
    write_whole(folder / RECORD, told["record"].encode(), mode=0o600, synced=True)
    (folder / RESTORE).unlink()


def lay_over(disk: Path, overlay: Path) -> None:
    """Make the empty disk `overlay` on `disk`, of the same size. Raises `ProgramFailed`."""
    argv: list[str | Path] = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2"]
    run([*argv, "-b", disk.absolute(), overlay])


def _create(overlay: Path, backing: Path, size: int) -> None:
    overlay.unlink(missing_ok=True)
    # -u: the file that it lies on may be about to get its name.
    argv: list[str | Path] = ["qemu-img", "create", "-q", "-u", "-f", "qcow2", "-F", "qcow2"]
    run([*argv, "-b", backing.absolute(), overlay, str(size)])
    flush(overlay)


def _same(one: Path, other: Path) -> bool:
    return other.exists() and one.samefile(other)
