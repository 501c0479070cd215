"""The snapshots in a machine's folder: what each says, and how one goes away."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from dsvm.machines import chain
from dsvm.machines.machine import Machine
from dsvm.machines.model import MachineRecord
from dsvm.programs import run
from dsvm.progress import Progress

ID = re.compile(r"s([1-9][0-9]*)")
AUTOMATIC = 3


class SnapshotRecord(BaseModel):
    """`taken_at` is Unix time; `machine` the machine's record as it was. `automatic`: dsvm took it
    before a change of its own; it goes once newer ones of its kind are there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    note: str
    taken_at: float
    machine: MachineRecord
    automatic: bool = False


def records(folder: Path) -> list[SnapshotRecord]:
    """What the snapshots in a machine's folder say, the oldest first."""
    files = (folder / chain.SNAPSHOTS).glob(f"*/{chain.SNAPSHOT}")
    known = [SnapshotRecord.model_validate_json(file.read_bytes()) for file in files]
    return sorted(known, key=lambda record: number_of(record.id))


def drop_superseded(machine: Machine, progress: Progress) -> None:
    """Remove all but the newest `AUTOMATIC` of a stopped machine's automatic snapshots."""
    automatic = [one for one in records(machine.folder) if one.automatic]
    for old in automatic[:-AUTOMATIC]:
        with progress.step(f"dropping snapshot {old.id} of {machine.name} ({old.note})"):
            remove_held(machine, old)


def remove_held(machine: Machine, target: SnapshotRecord) -> None:
    """As `remove`, of a stopped machine, by who holds it."""
    frozen = chain.frozen_disk(machine.folder, target.id)
    below, kind = backing(frozen)
    for disk in disks(machine):
        if disk != frozen and backing(disk)[0] == frozen.resolve():
            log = machine.logs / "disk.log"
            run(["qemu-img", "rebase", "-q", "-b", below, "-F", kind, disk], log=log)
    (frozen.parent / chain.SNAPSHOT).unlink()
    shutil.rmtree(frozen.parent)


def disks(machine: Machine) -> list[Path]:
    frozen = [chain.frozen_disk(machine.folder, one.id) for one in records(machine.folder)]
    return [machine.folder / chain.DISK, *frozen]


def backing(disk: Path) -> tuple[Path, str]:
    """The file that a disk lies on, and its format."""
    said = run(["qemu-img", "info", "-U", "--output=json", disk]).stdout
    info = json.loads(said)
    return Path(info["full-backing-filename"]).resolve(), str(info["backing-filename-format"])


def number_of(snapshot: str) -> int:
    found = ID.fullmatch(snapshot)
    return int(found[1]) if found else 0
