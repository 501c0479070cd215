"""Make a machine's files: disk, keys, secrets, ports, record. The record comes last."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from dsvm.build.build import of_the_disk
from dsvm.build.guest_tree import guest_digest
from dsvm.build.model import Image, Layer
from dsvm.catalog.compose import Composition
from dsvm.engines.base import Engine, Size
from dsvm.guest.gate import SIGN_IN
from dsvm.lock.model import Lock
from dsvm.machines.disk import create_disk
from dsvm.machines.keys import make_keys
from dsvm.machines.machine import Machine
from dsvm.machines.model import AppPage, MachineRecord
from dsvm.machines.parts import DISK, engine_machine
from dsvm.machines.ports import choose_port
from dsvm.machines.size import to_record
from dsvm.machines.state import Machines
from dsvm.store import Store

TOKEN_BYTES = 32


def create(
    machines: Machines,
    *,
    definition: Path,
    composition: Composition,
    lock: Lock,
    image: Image,
    engine: Engine,
    notes: tuple[str, ...],
    size: Size,
    name: str,
) -> Machine:
    """A stopped machine. By who holds the name; what a killed `up` left of it goes first."""
    machines.clear(name)
    folder = machines.folder(name)
    for part in ("seed", "ssh", "logs", "reports"):
        (folder / part).mkdir(mode=0o700)
    make_keys(folder / "ssh", name)
    disk = Store(machines.home.store).get(image.digest)
    log = folder / "logs" / "disk.log"
    create_disk(disk, folder / DISK, size.disk, image.root_offset, log=log)
    record = MachineRecord(
        name=name,
        engine=engine.name,
        folder=str(definition.parent),
        definition=definition.read_text(encoding="utf-8"),
        lock=lock,
        disk_lock=of_the_disk(lock),
        image=image,
        layers=attachable(image.layers),
        size=to_record(size),
        ssh_port=choose_port(f"{folder}/ssh", machines.ports_of_others(name)),
        created_at=time.time(),
        guest=guest_digest(),
        notes=notes,
    )
    machine = Machine(machines.home, with_apps(machines, record, composition))
    engine.create(engine_machine(machine))
    return machines.save(machine.record)


def attachable(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """The layers a machine sees besides its disk: all but the OS tree and the building tools."""
    return tuple(layer for layer in layers if layer.mountpoint)


def with_apps(machines: Machines, record: MachineRecord, composition: Composition) -> MachineRecord:
    """The record with a port, a secret and a page for each app; those it has stay."""
    folder = machines.folder(record.name)
    taken = machines.ports_of_others(record.name) | {record.ssh_port, *record.apps.values()}
    apps, tokens, pages = {}, {}, {}
    for app in composition.apps:
        apps[app.name] = record.apps.get(app.name) or choose_port(f"{folder}/{app.name}", taken)
        taken.add(apps[app.name])
        tokens[app.name] = record.tokens.get(app.name) or secrets.token_urlsafe(TOKEN_BYTES)
        way = f"{SIGN_IN}{{token}}" if app.gate else ""
        pages[app.name] = AppPage(
            inside=app.port, path=way + app.path, ready=way + app.ready, way=way
        )
    return record.model_copy(update={"apps": apps, "tokens": tokens, "pages": pages})
