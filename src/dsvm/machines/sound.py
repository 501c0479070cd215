"""Are the layers that a machine runs on whole?"""

from __future__ import annotations

from dsvm.build.model import Layer
from dsvm.errors import DsvmError
from dsvm.machines.machine import Machine
from dsvm.progress import Progress
from dsvm.store import Store


def check_sound(machine: Machine, progress: Progress) -> None:
    """Raise `DsvmError` that names each layer of the machine which is damaged or gone."""
    faults = faults_of(machine, progress)
    if faults:
        raise DsvmError(
            f"machine `{machine.name}` cannot start: its layers are not whole",
            cause=told(faults),
            remedy=f"`dsvm up` in {machine.record.folder} builds them again",
        )


def needed(machine: Machine) -> tuple[Layer, ...]:
    """The layers a machine runs on: its disk's, and those that are attached."""
    disks = tuple(layer for layer in machine.record.image.layers if layer.kind == "disk")
    return (*disks, *machine.record.layers)


def faults_of(machine: Machine, progress: Progress) -> dict[Layer, str]:
    """What is wrong with each layer that is not whole."""
    store = Store(machine.home.store)
    with progress.step(f"checking the layers of {machine.name}"):
        return {
            layer: "damaged" if store.has(layer.digest) else "not in the store"
            for layer in needed(machine)
            if not store.sound(layer.digest)
        }


def told(faults: dict[Layer, str]) -> str:
    return "\n".join(f"{layer.name}: {fault}" for layer, fault in faults.items())
