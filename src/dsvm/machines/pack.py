"""`dsvm pack`: a machine as one file, for another computer."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsvm import __version__, scratch
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.machines import chain
from dsvm.machines.disk import clean_disk, disk_used, split_disk
from dsvm.machines.frozen import records
from dsvm.machines.listing import running
from dsvm.machines.machine import Machine
from dsvm.machines.model import MachineRecord
from dsvm.machines.packfile import DISK, LAYERS, Entry, Manifest, write_pack
from dsvm.machines.seed import SEED
from dsvm.machines.snapshots import take_held
from dsvm.machines.sound import faults_of, needed, told
from dsvm.machines.state import Machines
from dsvm.progress import Progress, Step
from dsvm.store import Store
from dsvm.store.files import file_digest

HOST_WORDS = ("host_key", "host_key_public", "authorized_keys", "network")


@dataclass(frozen=True)
class Packed:
    """`bytes` is the size of `file`; `snapshot` the one a running machine was packed from;
    `left` how many snapshots did not travel."""

    file: Path
    bytes: int
    thin: bool
    snapshot: str | None
    left: int

    def json(self) -> dict[str, Any]:
        """`pack --json`."""
        return {
            "file": str(self.file),
            "bytes": self.bytes,
            "thin": self.thin,
            "snapshot": self.snapshot,
            "snapshots_left": self.left,
        }


def pack(home: Home, name: str, target: Path, *, thin: bool, progress: Progress) -> Packed:
    """Write the machine to `target` (mode 0600), whole or not at all.

    Of a running machine a snapshot is taken and packed; it runs on. `thin` leaves out the image
    and the layers, for a computer that has them or can build them. Raises `NoSuchMachine`,
    `MachineBusy`, `DsvmError` when a layer is damaged or there is no room.
    """
    machines = Machines(home)
    machines.get(name)
    with machines.hold(name, "pack"):
        machine = machines.get(name)
        if not thin:
            _check_layers(machine, progress)
        snapshots = len(records(machine.folder))
        snapshot = None
        source, folder = machine.folder / chain.DISK, machine.folder
        if running(machine):
            snapshot = take_held(machine, f"packed as {target.name}").record.id
            source = chain.frozen_disk(machine.folder, snapshot)
            folder = source.parent
        seed = json.loads((folder / SEED).read_text(encoding="utf-8"))
        with scratch.folder("pack", home.cache / "work") as work:
            disk = _disk(machine, source, work, progress)
            written = _write(machine, seed, disk, target, thin, progress)
    return Packed(target, written, thin, snapshot, snapshots)


def _check_layers(machine: Machine, progress: Progress) -> None:
    faults = faults_of(machine, progress)
    if faults:
        raise DsvmError(
            f"machine `{machine.name}` cannot be packed: its layers are not whole",
            cause=told(faults),
            remedy=f"`dsvm up` in {machine.record.folder} builds them again",
        )


def _disk(machine: Machine, source: Path, work: Path, progress: Progress) -> Path:
    """One disk with all that was written over the image, in a new file."""
    store = Store(machine.home.store)
    below = machine.folder.glob(f"{chain.SNAPSHOTS}/*/{chain.DISK}")
    most = sum(disk_used(one) for one in {source, *below})
    if store.free_bytes() < most:
        raise DsvmError(
            f"no room to pack `{machine.name}`",
            cause=f"{most} bytes are needed below {work.parent}, {store.free_bytes()} are free",
            remedy="`dsvm gc` removes what no machine uses",
        )
    disk, log = work / DISK, machine.logs / "disk.log"
    with progress.step(f"copying the disk of {machine.name}"):
        chain.lay_over(source, disk)
        clean_disk(disk, log=log)
        split_disk(disk, store.path(machine.record.image.digest), log=log)
    return disk


def _write(
    machine: Machine,
    seed: dict[str, Any],
    disk: Path,
    target: Path,
    thin: bool,
    progress: Progress,
) -> int:
    store = Store(machine.home.store)
    layers = {} if thin else {layer.digest: layer.bytes for layer in needed(machine)}
    files = {f"{LAYERS}{digest}": store.get(digest) for digest in layers}
    entries = [
        Entry(name=f"{LAYERS}{digest}", digest=digest, bytes=size)
        for digest, size in layers.items()
    ]
    entries.append(Entry(name=DISK, digest=file_digest(disk), bytes=disk.stat().st_size))
    manifest = Manifest(
        made_by=__version__,
        record=without_secrets(machine.record),
        seed=_public_seed(seed),
        files=tuple(entries),
    )
    partial = target.with_name(f".{target.name}.partial")
    try:
        with progress.step(f"packing {machine.name}", manifest.bytes) as step:
            _stream(partial, manifest, {**files, DISK: disk}, step)
        partial.replace(target)
    except OSError as fault:
        raise DsvmError(f"{target} cannot be written", cause=fault.strerror) from None
    finally:
        partial.unlink(missing_ok=True)
    return target.stat().st_size


def _stream(partial: Path, manifest: Manifest, files: dict[str, Path], step: Step) -> None:
    partial.unlink(missing_ok=True)
    mode = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(partial, mode, 0o600), "wb") as file:
        write_pack(file, manifest, files, step.advance)
        file.flush()
        os.fsync(file.fileno())


def without_secrets(record: MachineRecord) -> MachineRecord:
    """What of a record is true on any computer."""
    nowhere = {"folder": "", "ssh_port": 0, "notes": (), "apps": dict.fromkeys(record.apps, 0)}
    return record.model_copy(update={**nowhere, "tokens": {}})


def _public_seed(seed: dict[str, Any]) -> dict[str, Any]:
    apps = [{**app, "token": ""} for app in seed["apps"]]
    return {**{key: seed[key] for key in seed if key not in HOST_WORDS}, "apps": apps}
