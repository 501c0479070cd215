"""`dsvm unpack`: a machine out of the file that `dsvm pack` wrote, on any computer.

The file may come from anyone. Its layers are kept by their digests alone, never as results of a
build, so no other machine gets them; its disk may name no file below it; keys, tokens and ports
are made here. What the machine's owner wrote inside is of course taken as it is.
"""

from __future__ import annotations

import secrets
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsvm.definition import FILE_NAME
from dsvm.definition.edit import rename
from dsvm.definition.model import Definition
from dsvm.engines import choose
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.lock.file import LOCK_NAME, lock_text
from dsvm.machines.create import TOKEN_BYTES
from dsvm.machines.disk import adopt_disk
from dsvm.machines.inputs import read_inputs
from dsvm.machines.keys import HOST, OWNER, make_keys, public
from dsvm.machines.machine import Machine
from dsvm.machines.model import MachineRecord
from dsvm.machines.packfile import DISK, BadPack, Entry, Manifest, PackReader, open_pack
from dsvm.machines.parts import engine_machine, on_host
from dsvm.machines.ports import choose_port
from dsvm.machines.seed import write_packed
from dsvm.machines.sound import faults_of
from dsvm.machines.state import Machines
from dsvm.machines.work import Confirm
from dsvm.progress import Progress, Step
from dsvm.store import Store
from dsvm.store.faults import StoreFull, binary_size
from dsvm.whole import write_whole


@dataclass(frozen=True)
class Unpacked:
    """`missing` names the layers that neither the file nor this computer's store has."""

    machine: Machine
    missing: tuple[str, ...]

    def json(self) -> dict[str, Any]:
        """`unpack --json`."""
        return {
            "name": self.machine.name,
            "folder": self.machine.record.folder,
            "engine": self.machine.record.engine,
            "missing_layers": list(self.missing),
        }


def unpack(
    home: Home,
    file: Path,
    *,
    name: str | None,
    folder: Path | None,
    engine: str,
    confirm: Confirm,
    progress: Progress,
) -> Unpacked:
    """Make the stopped machine, and its dsvm.toml and dsvm.lock in `folder` (`./NAME` if None).

    `confirm` is asked when it wants to see folders of this computer. Raises `BadPack`,
    `MachineBusy`, `StoreFull`, `DsvmError` when there is a machine of that name already.
    """
    machines = Machines(home)
    with open_pack(file) as reader:
        manifest = reader.manifest
        name = name or manifest.record.name
        place = (folder or Path(name)).absolute()
        text = rename(manifest.record.definition, name)
        _refuse_taken(machines, name)
        _refuse_other(place, text)
        with machines.hold(name, "unpack"):
            _refuse_taken(machines, name)
            _confirm_mounts(text, place, confirm)
            machines.clear(name)
            machine = _unpacked(machines, reader, name, place, text, engine, progress)
    faults = faults_of(machine, progress)
    return Unpacked(machine, tuple(layer.name for layer in faults))


def _unpacked(
    machines: Machines,
    reader: PackReader,
    name: str,
    place: Path,
    text: str,
    engine: str,
    progress: Progress,
) -> Machine:
    manifest, folder = reader.manifest, machines.folder(name)
    definition = Definition.model_validate(tomllib.loads(text))
    chosen, usable = choose(engine, machines.home, folders=bool(definition.mounts))
    store = Store(machines.home.store)
    for part in ("seed", "ssh", "logs", "reports"):
        (folder / part).mkdir(mode=0o700)
    # gc shall not take the layers before the record that needs them is there.
    with store.using(), progress.step(f"unpacking {name}", manifest.bytes) as step:
        _receive(reader, store, folder / DISK, step)
        image = store.path(manifest.record.image.digest)
        size = manifest.record.disk_now or manifest.record.size.disk
        adopt_disk(folder / DISK, image, size, log=folder / "logs/disk.log")
        make_keys(folder / "ssh", name)
        _write_definition(place, text, manifest)
        record = _record(machines, manifest, name, place, text)
        record = record.model_copy(update={"engine": chosen.name, "notes": usable.notes})
        machine = Machine(machines.home, record)
        write_packed(machine, _seed(manifest, machine), definition)
        chosen.create(engine_machine(machine))
        return machines.save(record)


def _receive(reader: PackReader, store: Store, disk: Path, step: Step) -> None:
    wanted = {layer.digest: layer for layer in _layers(reader.manifest.record)}
    for entry, pieces in reader.files():
        if entry.name == DISK:
            _receive_disk(entry, pieces, disk, store, step)
        elif entry.name != f"layers/{entry.digest}" or entry.digest not in wanted:
            raise BadPack(f"{entry.name} belongs to no layer of the machine")
        elif store.sound(entry.digest, entry.bytes):
            for piece in pieces:
                step.advance(len(piece))
        else:
            with store.writer(entry.digest, entry.bytes) as writer:
                for piece in pieces:
                    writer.write(piece)
                    step.advance(len(piece))


def _layers(record: MachineRecord) -> Iterator[Any]:
    yield from record.image.layers
    yield from record.layers


def _receive_disk(
    entry: Entry, pieces: Iterator[bytes], disk: Path, store: Store, step: Step
) -> None:
    free = store.free_bytes()
    if entry.bytes > free:
        raise StoreFull(
            f"no room for the disk below {disk.parent}",
            cause=f"{binary_size(entry.bytes)} needed, {binary_size(free)} free",
            remedy="`dsvm gc` removes what no machine uses; DSVM_HOME moves everything",
        )
    try:
        with disk.open("xb") as file:
            for piece in pieces:
                file.write(piece)
                step.advance(len(piece))
    except OSError as fault:
        raise DsvmError(f"{disk} cannot be written", cause=fault.strerror) from None
    disk.chmod(0o600)


def _record(
    machines: Machines, manifest: Manifest, name: str, place: Path, text: str
) -> MachineRecord:
    old, folder = manifest.record, machines.folder(name)
    taken = machines.ports_of_others(name)
    ports: dict[str, int] = {}
    for what in ("ssh", *old.pages):
        ports[what] = choose_port(f"{folder}/{what}", taken)
        taken.add(ports[what])
    # A machine that was brought up and proven needs that here only if dsvm is another one.
    inputs = read_inputs(place / FILE_NAME) if old.inputs else {}
    inputs |= {what: old.inputs[what] for what in ("catalog", "guest") if what in old.inputs}
    return old.model_copy(
        update={
            "name": name,
            "folder": str(place),
            "definition": text,
            "ssh_port": ports.pop("ssh"),
            "apps": ports,
            "tokens": {app: secrets.token_urlsafe(TOKEN_BYTES) for app in old.pages},
            "created_at": time.time(),
            "inputs": inputs,
        }
    )


def _seed(manifest: Manifest, machine: Machine) -> dict[str, Any]:
    keys, tokens = machine.folder / "ssh", machine.record.tokens
    return {
        **manifest.seed,
        "name": machine.name,
        "authorized_keys": [public(keys, OWNER)],
        "host_key": (keys / HOST).read_text(encoding="utf-8"),
        "host_key_public": public(keys, HOST),
        "apps": [{**app, "token": tokens[app["name"]]} for app in manifest.seed["apps"]],
        "network": None,
    }


def _write_definition(place: Path, text: str, manifest: Manifest) -> None:
    try:
        place.mkdir(parents=True, exist_ok=True)
        write_whole(place / FILE_NAME, text.encode())
        write_whole(place / LOCK_NAME, lock_text(manifest.record.lock).encode())
    except OSError as fault:
        raise DsvmError(f"{place} cannot be written", cause=fault.strerror) from None


def _refuse_taken(machines: Machines, name: str) -> None:
    if machines.find(name):
        raise DsvmError(
            f"there is a machine `{name}` already",
            remedy="unpack under another name: --name NAME",
        )


def _refuse_other(place: Path, text: str) -> None:
    definition = place / FILE_NAME
    if definition.exists() and definition.read_bytes() != text.encode():
        raise DsvmError(
            f"{definition} is there already, and another one",
            remedy="unpack into another folder: --folder FOLDER",
        )


def _confirm_mounts(text: str, place: Path, confirm: Confirm) -> None:
    shown = [on_host(one.removesuffix(":ro"), place) for one in _mounted(text)]
    if shown:
        confirm(f"the machine sees these folders of this computer: {', '.join(map(str, shown))}")


def _mounted(text: str) -> list[str]:
    return list(Definition.model_validate(tomllib.loads(text)).mounts.values())
