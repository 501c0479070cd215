"""Snapshots of a machine: its disk, its lock, its layers and its definition at one moment."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.machines import chain
from dsvm.machines.disk import disk_size
from dsvm.machines.folder import files_follow
from dsvm.machines.frozen import SnapshotRecord, backing, disks, number_of, records, remove_held
from dsvm.machines.lifecycle import start_held, stop_held
from dsvm.machines.machine import Machine
from dsvm.machines.parts import engine_machine, engine_of
from dsvm.machines.space import Written, freed, written
from dsvm.machines.state import Machines
from dsvm.machines.work import Confirm, confirm_restart
from dsvm.progress import Progress
from dsvm.whole import write_whole

SYNC_S = 60.0


@dataclass(frozen=True)
class Snapshot:
    """`bytes` is what its file takes on the host's disk: what was written since the one before and
    was there when it was taken. `frees` is what of it removing the snapshot gives back: the rest is
    needed by what lies on it, and moves there."""

    record: SnapshotRecord
    bytes: int
    frees: int

    def json(self) -> dict[str, Any]:
        """One entry of `snapshots --json`."""
        record = self.record
        return {
            "id": record.id,
            "note": record.note,
            "taken_at": record.taken_at,
            "bytes": self.bytes,
            "frees": self.frees,
            "tools": list(record.machine.tools),
        }


def take(home: Home, name: str, note: str = "") -> Snapshot:
    """Freeze the machine's disk as it is; a running machine goes on, on a new one.

    What its programs have written is in the snapshot; what they hold in memory is not, as after
    a power cut. Raises `NoSuchMachine`, `MachineBusy`, `DsvmError`.
    """
    machines = Machines(home)
    machines.get(name)
    with machines.hold(name, "snapshot"):
        return take_held(machines.get(name), note)


def snapshots(machine: Machine) -> list[Snapshot]:
    """The oldest first."""
    maps = {disk.resolve(): written(disk) for disk in disks(machine) if disk.exists()}
    above: dict[Path, list[Written]] = {disk: [] for disk in maps}
    for disk in maps:
        above.setdefault(backing(disk)[0], []).append(maps[disk])
    found = []
    for record in records(machine.folder):
        frozen = chain.frozen_disk(machine.folder, record.id).resolve()
        if frozen in maps:
            one = maps[frozen]
            found.append(Snapshot(record, one.bytes, freed(one, above[frozen])))
    return found


def restore(
    home: Home,
    name: str,
    wanted: str,
    *,
    keep: bool,
    confirm: Confirm,
    progress: Progress,
) -> Snapshot | None:
    """Make the machine what it was; return the snapshot that keeps what it is now, if `keep`.

    A running machine restarts. Engine and ports stay as they are. Its dsvm.toml and dsvm.lock go
    back with it unless somebody has changed them since. Raises as `take` does.
    """
    machines = Machines(home)
    machines.get(name)
    with machines.hold(name, "restore"):
        machine = machines.get(name)
        target = _named(machine, wanted)
        ran = _stopped(machine, f"back to snapshot {target.id}", confirm)
        kept = take_held(machine, f"before the restore of {target.id}") if keep else None
        restore_held(machine, target)
        for note in files_follow(machine.record, target.machine):
            progress.note(note)
        if ran:
            start_held(machines, machines.get(name), progress=progress)
        return kept


def restore_held(machine: Machine, target: SnapshotRecord) -> None:
    """Make the stopped machine what it was then; engine and ports stay. By who holds it."""
    old, now = target.machine, machine.record
    record = old.model_copy(
        update={
            "engine": now.engine,
            "notes": now.notes,
            "ssh_port": now.ssh_port,
            "apps": {app: now.apps.get(app, port) for app, port in old.apps.items()},
        }
    )
    size = disk_size(chain.frozen_disk(machine.folder, target.id))
    text = record.model_dump_json(indent=1) + "\n"
    chain.begin_restore(machine.folder, target.id, text, size)
    chain.settle(machine.folder)


def remove(home: Home, name: str, wanted: str) -> None:
    """Drop a snapshot; what lies on it takes what it needs of it. The machine must not run.

    Raises as `take` does.
    """
    machines = Machines(home)
    machines.get(name)
    with machines.hold(name, "snapshots --remove"):
        machine = machines.get(name)
        target = _named(machine, wanted)
        if engine_of(machine).running(engine_machine(machine)) is not None:
            raise DsvmError(
                f"snapshot `{target.id}` cannot be removed while `{name}` runs",
                cause="the machine's disk lies on it",
                remedy=f"dsvm stop {name}",
            )
        remove_held(machine, target)


def _stopped(machine: Machine, why: str, confirm: Confirm) -> bool:
    """Stop the machine; whether it ran. What that ends is asked first."""
    if engine_of(machine).running(engine_machine(machine)) is None:
        return False
    confirm_restart(machine, why, confirm)
    return stop_held(machine)


def take_held(machine: Machine, note: str, *, automatic: bool = False) -> Snapshot:
    """As `take`, by who holds the machine."""
    engine, known = engine_of(machine), engine_machine(machine)
    running = engine.running(known) is not None
    if running:
        machine.ssh.run(["sync"], timeout_s=SYNC_S)
    number = 1 + max((number_of(record.id) for record in records(machine.folder)), default=0)
    record = SnapshotRecord(
        id=f"s{number}",
        note=note,
        taken_at=time.time(),
        machine=machine.record,
        automatic=automatic,
    )
    frozen = chain.frozen_disk(machine.folder, record.id)
    frozen.parent.mkdir(mode=0o700, parents=True)
    shutil.copytree(machine.folder / chain.SEED, frozen.parent / chain.SEED)
    text = record.model_dump_json(indent=1).encode()
    write_whole(frozen.parent / chain.SNAPSHOT, text, mode=0o600, synced=True)
    overlay = chain.begin_overlay(machine.folder, record.id, disk_size(known.disk))
    os.link(known.disk, frozen)
    if running:
        engine.snapshot(known, overlay)
    chain.take_place(machine.folder, overlay)
    one = written(frozen)
    return Snapshot(record, one.bytes, freed(one, [written(known.disk)]))


def _named(machine: Machine, wanted: str) -> SnapshotRecord:
    known = {record.id: record for record in records(machine.folder)}
    if wanted in known:
        return known[wanted]
    raise DsvmError(
        f"machine `{machine.name}` has no snapshot `{wanted}`",
        remedy=f"there are: {', '.join(known)}"
        if known
        else f"`dsvm snapshot {machine.name}` takes one",
    )
