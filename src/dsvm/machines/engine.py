"""Another engine for a machine that exists: the same disk, run by something else."""

from __future__ import annotations

from dsvm.engines import AUTO, choose
from dsvm.errors import DsvmError
from dsvm.machines.machine import Machine
from dsvm.machines.parts import applied, devices, engine_machine, engine_of
from dsvm.machines.state import Machines


def differs(machine: Machine, engine: str) -> bool:
    """Whether that is another engine than the machine's own; `auto` leaves a machine as it is."""
    return engine not in (AUTO, machine.record.engine)


def switch_engine(machines: Machines, machine: Machine, engine: str) -> Machine:
    """The stopped machine with that engine; as it is when it has it. By who holds the machine.

    Raises `DsvmError` while it runs and when the engine cannot run it here.
    """
    if not differs(machine, engine):
        return machine
    old = engine_of(machine)
    if old.running(engine_machine(machine)) is not None:
        raise DsvmError(
            f"machine `{machine.name}` runs with engine `{old.name}`",
            cause="a disk is open in one engine only",
            remedy=f"`dsvm stop {machine.name}` first",
        )
    named = devices(applied(machine.record)) or ()
    new, usable = choose(engine, machines.home, devices=named)
    record = machine.record.model_copy(update={"engine": new.name, "notes": usable.notes})
    new.create(engine_machine(Machine(machines.home, record)))
    # Both keep their things in one folder: what is left of the old one would be the new one's.
    old.destroy(engine_machine(machine))
    new.create(engine_machine(Machine(machines.home, record)))
    return machines.save(record)
