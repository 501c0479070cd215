"""Lets a machine's disk grow to the size its record says: at once where that is possible while it
runs, else when it next starts.

The record has the new size first, and beside it what the disk still is (`disk_now`), until it has
grown: so a kill at any moment leaves work that is known, and `ls` says so.
"""

from __future__ import annotations

from dsvm.definition import format_bytes
from dsvm.errors import DsvmError
from dsvm.machines.disk import grow_disk, root_bytes
from dsvm.machines.machine import Machine
from dsvm.machines.model import MachineRecord
from dsvm.machines.parts import DISK, engine_machine, engine_of, patience
from dsvm.machines.state import Machines
from dsvm.progress import Progress

GROW_S = 120


def waits(record: MachineRecord) -> str | None:
    """What a person is told of a disk that has still to grow."""
    if record.disk_now is None:
        return None
    now, then = format_bytes(record.disk_now), format_bytes(record.size.disk)
    return f"its disk is still {now}: it grows to {then} at the next start"


def grow_stopped(machines: Machines, machine: Machine, progress: Progress) -> Machine:
    """The stopped machine with the disk that it shall have. Raises `DsvmError`, `DiskInUse`."""
    record = machine.record
    if record.disk_now is None:
        return machine
    with progress.step(f"growing the disk of {machine.name}"):
        disk, log = machine.folder / DISK, machine.logs / "disk.log"
        grow_disk(disk, record.size.disk, record.image.root_offset, log=log)
    return _has_grown(machines, machine)


def grow_running(
    machines: Machines, machine: Machine, progress: Progress
) -> tuple[Machine, tuple[str, ...]]:
    """The running machine, its disk grown if that is possible, and what a person is told."""
    record = machine.record
    if record.disk_now is None:
        return machine, ()
    length = root_bytes(record.size.disk, record.image.root_offset)
    try:
        with progress.step(f"growing the disk of {machine.name}"):
            if not engine_of(machine).grow(engine_machine(machine), length):
                argv = ["sudo", "-n", "dsvm-guest", "grow", str(length)]
                machine.ssh.run(argv, timeout_s=GROW_S * patience(machine))
    except DsvmError as refused:
        return machine, (_later(machine, refused.cause),)
    return _has_grown(machines, machine), ("the disk has grown while the machine runs",)


def _later(machine: Machine, cause: str | None) -> str:
    why = (cause or "it cannot now").strip().splitlines()[-1].removeprefix("error: ")
    size = format_bytes(machine.record.size.disk)
    again = f"`dsvm stop {machine.name}`, `dsvm start {machine.name}`"
    return f"the disk grows to {size} at the next start ({again}): {why}"


def _has_grown(machines: Machines, machine: Machine) -> Machine:
    return machines.save(machine.record.model_copy(update={"disk_now": None}))
