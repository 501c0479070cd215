"""Apply a changed definition to a machine that exists, as `plan_change` says."""

from __future__ import annotations

from dataclasses import dataclass

from dsvm.build.model import Layer
from dsvm.catalog.compose import Composition
from dsvm.definition.model import Definition
from dsvm.engines.base import Size
from dsvm.home import Home
from dsvm.lock import fetch_all
from dsvm.lock.model import NOTHING_MOUNTED, Lock, OsPackage
from dsvm.machines.create import with_apps
from dsvm.machines.enlarge import grow_running
from dsvm.machines.inside import apply_seed, change_packages
from dsvm.machines.lifecycle import seen, start_held, stop_held, wait_ready
from dsvm.machines.listing import running
from dsvm.machines.machine import Machine
from dsvm.machines.parts import attached, engine_machine, engine_of
from dsvm.machines.plan import Change
from dsvm.machines.renew import renew_guest
from dsvm.machines.seed import write_seed
from dsvm.machines.size import from_record, to_record
from dsvm.machines.state import Machines
from dsvm.machines.work import Confirm, confirm_restart
from dsvm.progress import Progress


@dataclass(frozen=True)
class Target:
    """What the machine shall become. `text` is the new dsvm.toml's."""

    text: str
    definition: Definition
    composition: Composition
    lock: Lock
    layers: tuple[Layer, ...]
    size: Size


def apply_change(
    machines: Machines,
    machine: Machine,
    target: Target,
    change: Change,
    progress: Progress,
    confirm: Confirm,
) -> tuple[Machine, tuple[str, ...]]:
    """The changed machine, running, and what a person should be told.

    A person is asked before a restart ends what runs inside; nothing has changed by then.

    The record's lock is the old one until all of it is done, so a killed `up` plans the same
    change again; each part of it may be done twice.
    """
    if change.install:
        _fetch(change.install, target, machines.home, progress)
    told: list[str] = []
    reasons = [*change.restart]
    if change.size and not change.restart and not engine_of(machine).resizes_running:
        reasons.append("the size changed")
    if reasons and running(machine):
        why = " and ".join(reasons)
        wait_ready(machine)
        renew_guest(machine, progress)  # an older one could not tell what runs
        confirm_restart(machine, why, confirm)
        progress.note(f"{machine.name} restarts: {why}")
        told.append(f"restarted: {why}")
        stop_held(machine)
    machine = _prepare(machines, machine, target)
    if running(machine):
        engine_of(machine).attach(engine_machine(machine), attached(machine))
        wait_ready(machine)  # an `up` may have been killed while it booted
        renew_guest(machine, progress)
        with progress.step(f"changing {machine.name}"):
            machine = seen(machines, machine, apply_seed(machine))
        machine, grown = grow_running(machines, machine, progress)
        told += grown
    else:
        machine = start_held(machines, machine, progress=progress, renew=True)
    if change.install or change.remove:
        with progress.step("changing OS packages"):
            told += change_packages(machine, target.lock, change.install, change.remove)
            # A service whose program has just come could not start before.
            apply_seed(machine)
    done = machines.save(machine.record.model_copy(update={"lock": target.lock}))
    return done, (*change.said, *told)


def _fetch(packages: tuple[OsPackage, ...], target: Target, home: Home, progress: Progress) -> None:
    """Put these packages of the lock in the store, and nothing else of it."""
    lock = target.lock
    only = lock.model_copy(
        update={
            "os": lock.os.model_copy(update={"packages": packages}),
            "tools_tree": lock.tools_tree.model_copy(update={"packages": ()}),
            "interpreters": {},
            **NOTHING_MOUNTED,
        }
    )
    fetch_all(only, home, progress, sources=target.composition.sources)


def _prepare(machines: Machines, machine: Machine, target: Target) -> Machine:
    """Record and seed as the next start shall find them. What needs a restart is stopped by now,
    so the record never says more than what a running machine has."""
    size, old = to_record(target.size), machine.record
    grows = old.disk_now or old.size.disk if size.disk > old.size.disk else old.disk_now
    record = machine.record.model_copy(
        update={
            "definition": target.text,
            "layers": target.layers,
            "size": size,
            "disk_now": grows,
            "inputs": {},
            "tools": (),
        }
    )
    if size != old.size:
        engine_of(machine).resize(engine_machine(machine), from_record(size))
    machine = machines.save(with_apps(machines, record, target.composition))
    write_seed(machine, target.definition, target.composition, target.lock)
    return machine
