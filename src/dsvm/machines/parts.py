"""A machine's record in the words of its engine."""

from __future__ import annotations

import tomllib
from pathlib import Path

from dsvm.definition.model import Definition
from dsvm.engines import engine_named
from dsvm.engines.base import AttachedLayer, Engine, EngineMachine, Mount
from dsvm.machines.machine import LOGIN, Machine
from dsvm.machines.model import MachineRecord
from dsvm.machines.size import from_record
from dsvm.store import Store

SSH_PORT = 22
DISK = "disk.qcow2"


def engine_of(machine: Machine) -> Engine:
    return engine_named(machine.record.engine, machine.home)


def engine_machine(machine: Machine) -> EngineMachine:
    """All that the engine has to know. Whether the layers are there, only a start asks."""
    record = machine.record
    definition = applied(record)
    inside = {record.pages[name].inside: port for name, port in record.apps.items()}
    return EngineMachine(
        name=record.name,
        folder=machine.folder,
        disk=machine.folder / DISK,
        root_offset=record.image.root_offset,
        size=from_record(record.size),
        seed=machine.folder / "seed",
        layers=attached(machine),
        ports={SSH_PORT: record.ssh_port, **inside},
        mounts=mounts(definition, Path(record.folder)),
        devices=devices(definition),
    )


def patience(machine: Machine) -> float:
    """By what to multiply every time limit: a machine that is emulated is slow, not broken."""
    found = engine_of(machine).running(engine_machine(machine))
    return found.patience if found else 1.0


def attached(machine: Machine) -> tuple[AttachedLayer, ...]:
    """The layers the machine needs, each once, as files of the store."""
    store = Store(machine.home.store)
    digests = dict.fromkeys(layer.digest for layer in machine.record.layers)
    return tuple(AttachedLayer(digest, store.path(digest)) for digest in digests)


def applied(record: MachineRecord) -> Definition:
    """The definition that was last applied."""
    return parsed(record.definition)


def parsed(text: str) -> Definition:
    """A definition's text that was checked before."""
    return Definition.model_validate(tomllib.loads(text))


def devices(definition: Definition) -> tuple[str, ...] | None:
    """`[size] devices`, each once."""
    names = definition.size.devices
    return None if names is None else tuple(dict.fromkeys(names))


def mounts(definition: Definition, folder: Path) -> tuple[Mount, ...]:
    """`[mounts]` with the host's paths made absolute; `folder` is where dsvm.toml lies."""
    found = []
    for target, text in definition.mounts.items():
        source = text.removesuffix(":ro")
        found.append(Mount(on_host(source, folder), inside(target), source != text))
    return tuple(found)


def on_host(source: str, folder: Path) -> Path:
    """A path of the definition on the host: `~` is the caller's home, relative is to `folder`."""
    return (folder / Path(source).expanduser()).resolve()


def inside(target: str) -> str:
    """A path of the definition in the machine: `~` is the login's home."""
    return f"/home/{LOGIN}{target[1:]}" if target == "~" or target.startswith("~/") else target
