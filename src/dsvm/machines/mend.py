"""Makes a stopped machine's layers whole again."""

from __future__ import annotations

from dsvm.build.build import build_disk, build_layers
from dsvm.catalog.compose import Composition
from dsvm.errors import DsvmError
from dsvm.lock.model import Lock
from dsvm.machines.machine import Machine
from dsvm.machines.sound import faults_of, told
from dsvm.progress import Progress


def mend(machine: Machine, composition: Composition, lock: Lock, progress: Progress) -> None:
    """Build again what of a stopped machine is damaged or gone: the disk that its own was made
    from as it was locked then, the layers of `lock`, which may be a newer one.

    Raises `DsvmError`, also when this dsvm makes another disk than the one that is needed.
    """
    faults = faults_of(machine, progress)
    if not faults:
        return
    progress.note(f"{machine.name}: {told(faults).replace(chr(10), ', ')}; built again")
    home = machine.home
    for old in faults:
        if old.kind == "disk":
            made_from = machine.record.disk_lock or machine.record.lock
            new = build_disk(made_from, composition, home, progress=progress)
            if new.digest != old.digest:
                raise _of_another_dsvm(machine, faults[old])
    build_layers(lock, composition, home, progress=progress)


def _of_another_dsvm(machine: Machine, fault: str) -> DsvmError:
    return DsvmError(
        f"the image below the disk of `{machine.name}` is {fault}",
        cause="an older dsvm built it, and this one builds other bytes from the same lock",
        remedy=f"run `dsvm up` in {machine.record.folder} once with the dsvm that made the "
        f"machine, or put the blob back from a backup: {machine.record.image.digest}",
    )
