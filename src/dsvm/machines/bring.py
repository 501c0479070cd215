"""The work of `dsvm up`: lock, build, create or change, start, copy, prove.

Each step is safe to be killed in and to be run again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dsvm.build.build import build, build_layers, proven_lock
from dsvm.catalog.compose import Composition, compose
from dsvm.definition import Definition, this_host
from dsvm.engines import choose
from dsvm.engines.base import Size
from dsvm.lock import diff, lock_beside, lock_file, request_digest, write_lock
from dsvm.lock.model import Lock
from dsvm.machines.change import Target, apply_change
from dsvm.machines.create import attachable, create
from dsvm.machines.engine import differs, switch_engine
from dsvm.machines.enlarge import grow_running
from dsvm.machines.given import check_given
from dsvm.machines.inputs import read_inputs
from dsvm.machines.inside import copy_files
from dsvm.machines.lifecycle import end_cut_off, start_held, stop_held, wait_ready
from dsvm.machines.listing import running
from dsvm.machines.machine import MACHINE, Machine
from dsvm.machines.mend import mend
from dsvm.machines.parts import applied, devices, engine_of
from dsvm.machines.plan import Wish, check_base, plan_change
from dsvm.machines.reports import last_report
from dsvm.machines.seed import write_seed
from dsvm.machines.size import choose_size, from_record
from dsvm.machines.state import Machines
from dsvm.machines.up import PHASES, Prove, UpResult, check_owner
from dsvm.machines.work import Confirm, confirm_restart
from dsvm.progress import Progress


@dataclass
class Bring:
    """One `up` that has something to do, by who holds the machine."""

    definition: Path
    machines: Machines
    progress: Progress
    prove: Prove
    confirm: Confirm
    engine: str
    name: str
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PHASES, 0.0))
    lock_changes: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)

    def run(self) -> UpResult:
        definition, composition = compose(self.definition)
        size = choose_size(definition.size, this_host())
        known = self.machines.find(self.name)
        if known:
            check_base(self.name, known.record.lock.base, composition.base.name)
        with self._timed("lock"):
            lock = self._lock(composition)
        for tool, why in lock.unreachable.items():
            self.progress.note(f"{tool} is not in the machine, for it was not reached: {why}")
        there = composition.without(lock.unreachable)
        wish = wish_of(definition, composition, lock, size)
        if known is None:
            machine, copy = self._created(wish, there), True
            only: tuple[str, ...] | None = ()
        else:
            inputs = known.record.inputs
            machine, only = self._changed(known, wish, there)
            copy = inputs.get("files") != read_inputs(self.definition)["files"]
        if copy:
            copy_files(machine, definition, self.definition.parent, self.progress)
        if only is not None:
            with self._timed("verify"):
                self.prove(machine, composition.tools, only)
        done = {"inputs": read_inputs(self.definition), "tools": tuple(wish.tools)}
        machine = self.machines.save(machine.record.model_copy(update=done))
        return UpResult(
            machine,
            self.seconds,
            tuple(self.lock_changes),
            tuple(self.changes),
            False,
            last_report(machine),
        )

    def _lock(self, composition: Composition) -> Lock:
        """The lock beside the definition, made or brought up to date when it does not answer."""
        old = lock_beside(self.definition)
        if old and old.request == request_digest(composition):
            return old
        new = proven_lock(composition, self.machines.home, old=old, progress=self.progress)
        write_lock(lock_file(self.definition), new)
        if old:
            self.lock_changes += [str(change) for change in diff(old, new)]
        return new

    def _created(self, wish: Wish, composition: Composition) -> Machine:
        folders = bool(wish.definition.mounts)
        named = devices(wish.definition) or ()
        gpu = wish.definition.size.accelerator == "nvidia"
        engine, usable = choose(
            self.engine, self.machines.home, folders=folders, devices=named, gpu=gpu
        )
        with self._timed("build"):
            image = build(wish.lock, composition, self.machines.home, progress=self.progress)
        with self._timed("boot"):
            machine = create(
                self.machines,
                definition=self.definition,
                composition=composition,
                lock=wish.lock,
                image=image,
                engine=engine,
                notes=usable.notes,
                size=wish.size,
                name=self.name,
            )
            write_seed(machine, wish.definition, composition)
            return start_held(self.machines, machine, progress=self.progress)

    def _changed(
        self, machine: Machine, wish: Wish, composition: Composition
    ) -> tuple[Machine, tuple[str, ...] | None]:
        """The machine as it is wished, and which tools to prove (all if empty; None: none)."""
        check_owner(machine, self.definition)
        end_cut_off(machine, self.progress)
        switched = differs(machine, self.engine)
        if switched:
            machine = self._switched(machine)
        before, now = machine.record.inputs, read_inputs(self.definition)
        old = old_wish(machine)
        change = plan_change(old, wish)
        if change.restart:
            check_given(machine.name, wish.definition, engine_of(machine))
        if running(machine) is None:
            with self._timed("build"):
                mend(machine, composition, wish.lock, self.progress)
        catalog_same = before.get("catalog") == now["catalog"]
        if catalog_same and _same(old, wish):
            guest = machine.record.guest
            with self._timed("boot"):
                machine = start_held(self.machines, machine, progress=self.progress, renew=True)
                machine, grown = grow_running(self.machines, machine, self.progress)
            self.changes += grown
            return machine, () if self._renewed(machine, guest) or switched else None
        with self._timed("build"):
            layers = build_layers(
                wish.lock, composition, self.machines.home, progress=self.progress
            )
        target = Target(
            text=self.definition.read_text(encoding="utf-8"),
            definition=wish.definition,
            composition=composition,
            lock=wish.lock,
            layers=attachable(layers),
            size=wish.size,
        )
        with self._timed("boot"):
            guest = machine.record.guest
            machine, told = apply_change(
                self.machines, machine, target, change, self.progress, self.confirm
            )
        self.changes += told
        if self._renewed(machine, guest) or switched or not catalog_same:
            return machine, ()
        return machine, (*composition.with_those_beside(change.prove), MACHINE)

    def _switched(self, machine: Machine) -> Machine:
        """The machine stopped and with the engine that was asked for; a person is asked first."""
        why = f"engine {machine.record.engine} → {self.engine}"
        if running(machine):
            wait_ready(machine)
            confirm_restart(machine, why, self.confirm)
            stop_held(machine)
        self.changes.append(why)
        return switch_engine(self.machines, machine, self.engine)

    def _renewed(self, machine: Machine, before: str) -> bool:
        """Whether the machine has got other guest code; all of it stands on that."""
        if machine.record.guest == before:
            return False
        self.changes.append("guest code renewed")
        return True

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[phase] += time.monotonic() - began


def wish_of(definition: Definition, composition: Composition, lock: Lock, size: Size) -> Wish:
    tools = {tool.name: (tuple(tool.apt), tool.lives_in) for tool in composition.tools}
    return Wish(definition, lock, size, tools, frozenset(app.port for app in composition.apps))


def old_wish(machine: Machine) -> Wish:
    record = machine.record
    return Wish(
        definition=applied(record),
        lock=record.lock,
        size=from_record(record.size),
        tools=dict.fromkeys(record.tools, ((), None)),
        ports=frozenset(page.inside for page in record.pages.values()),
    )


def _same(old: Wish, new: Wish) -> bool:
    return (
        old.definition == new.definition
        and old.lock == new.lock
        and old.size == new.size
        and old.tools.keys() == new.tools.keys()
    )
