"""`dsvm resize`: another size, accelerator or engine for a machine; the same disk.

First a plan that touches nothing, then the change that `dsvm.machines.move` takes back if it fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from dsvm.build.build import proven_lock
from dsvm.catalog.compose import compose
from dsvm.definition import Definition, format_bytes, this_host
from dsvm.definition.edit import replace_text, set_size
from dsvm.engines import AUTO, choose, engine_named
from dsvm.engines.base import Size
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.machines.bring import old_wish, wish_of
from dsvm.machines.engine import differs
from dsvm.machines.folder import Files, all_applied
from dsvm.machines.given import check_given
from dsvm.machines.lifecycle import wait_ready
from dsvm.machines.listing import running
from dsvm.machines.machine import MACHINE, Machine
from dsvm.machines.move import Move
from dsvm.machines.parts import engine_of
from dsvm.machines.plan import Change, Wish, plan_change
from dsvm.machines.reports import seconds_of
from dsvm.machines.runs import unfinished
from dsvm.machines.size import choose_size
from dsvm.machines.state import Machines
from dsvm.machines.up import Prove, UpResult
from dsvm.machines.work import Confirm, running_work
from dsvm.progress import Progress

KEPT = "the disk with all that is on it: files, users, packages, databases, keys; ports, tokens"
# Reclaimable memory is not counted; what a program asks for in the next moment has no number.
ROOM = 1.1


@dataclass(frozen=True)
class Wanted:
    """What shall be another; None stays as it is. Memory and disk as people write them, devices as
    the definition names them."""

    cpus: int | None = None
    memory: str | None = None
    disk: str | None = None
    accelerator: str | None = None
    devices: tuple[str, ...] | None = None
    engine: str = AUTO

    def keys(self) -> dict[str, int | str | list[str]]:
        """Those that stand in `[size]`."""
        found: dict[str, int | str | list[str] | None] = {
            "cpus": self.cpus,
            "memory": self.memory,
            "disk": self.disk,
            "accelerator": self.accelerator,
            "devices": None if self.devices is None else list(self.devices),
        }
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class Plan:
    """What a resize would do. `restart`: why the machine has to; empty: it goes on running.

    `ends` is what people have running that a restart ends, `resumes` what the machine starts again
    after it. `proves` names the tools whose checks
    run after it, `seconds` how long these took when last run (None: not known). `could_fail` is
    what this host cannot promise. `text` is the definition as it will be.
    """

    machine: str
    changes: tuple[str, ...]
    kept: str
    restart: tuple[str, ...]
    ends: tuple[str, ...]
    resumes: tuple[str, ...]
    proves: tuple[str, ...]
    seconds: float | None
    could_fail: tuple[str, ...]
    text: str
    engine: str

    def json(self) -> dict[str, Any]:
        """`resize --plan --json`."""
        shown = asdict(self)
        del shown["text"], shown["engine"]
        return shown


def plan_resize(home: Home, name: str, wanted: Wanted, progress: Progress) -> Plan:
    """Look whether it can be done, and tell how. Raises `DsvmError` if it cannot."""
    machine = Machines(home).get(name)
    return _plan(machine, Files.of(machine), wanted, progress)


def resize(
    home: Home,
    name: str,
    wanted: Wanted,
    *,
    progress: Progress,
    prove: Prove,
    confirm: Confirm,
) -> tuple[UpResult, str]:
    """Do what the plan says; also the snapshot it began with. Raises `DsvmError`, `MoveFailed`."""
    machines = Machines(home)
    machines.get(name)
    with machines.hold(name, "resize"):
        machine = machines.get(name)
        files = Files.of(machine)
        plan = _plan(machine, files, wanted, progress)
        move = Move(machines, machine, files, "resize", False, progress, prove, confirm)
        return move.run(lambda: replace_text(files.path, plan.text), plan.engine)


def _plan(machine: Machine, files: Files, wanted: Wanted, progress: Progress) -> Plan:
    all_applied(machine, files, "a resize")
    text = set_size(files.text, wanted.keys())
    definition, composition = compose(files.path, text)
    size = choose_size(definition.size, this_host())
    old = old_wish(machine)
    risks = _engine_risks(machine, wanted, definition)
    if wanted.accelerator == "nvidia" or wanted.devices:
        engine = machine.record.engine if wanted.engine == AUTO else wanted.engine
        gpu = wanted.accelerator == "nvidia"
        check_given(machine.name, definition, engine_named(engine, machine.home), gpu=gpu)
    # As `up` will lock it: another accelerator may want other builds. Nothing is written.
    lock = proven_lock(composition, machine.home, old=machine.record.lock, progress=progress)
    new = wish_of(definition, composition.without(lock.unreachable), lock, size)
    change = plan_change(old, new)
    switched = differs(machine, wanted.engine)
    found = running(machine)
    if found and change.size and not switched:
        _fits(machine, old.size, size)
    restart = tuple(_restarts(machine, change, wanted)) if found else ()
    ends, resumes = tuple[str, ...](), tuple[str, ...]()
    if restart:
        wait_ready(machine)
        ends = tuple(running_work(machine))
        resumes = tuple(f"run {run.number} `{run.words}`" for run in unfinished(machine))
    tools = composition.with_those_beside(change.prove)
    proves = (*(new.tools if switched else tools), MACHINE)
    return Plan(
        machine=machine.name,
        changes=tuple(_changes(machine, old, new, wanted, change)),
        kept=KEPT,
        restart=restart,
        ends=ends,
        resumes=resumes,
        proves=tuple(proves),
        seconds=seconds_of(machine, proves),
        could_fail=risks,
        text=text,
        engine=wanted.engine,
    )


def _engine_risks(machine: Machine, wanted: Wanted, definition: Definition) -> tuple[str, ...]:
    if not differs(machine, wanted.engine):
        return ()
    _, usable = choose(wanted.engine, machine.home, folders=bool(definition.mounts))
    return usable.notes


def _fits(machine: Machine, old: Size, new: Size) -> None:
    """Raises `DsvmError` when the running machine holds more memory than it shall have."""
    if new.memory >= old.memory or not engine_of(machine).resizes_running:
        return
    wait_ready(machine)
    told = machine.ssh.run(["cat", "/proc/meminfo"]).stdout
    kib = {line.split(":")[0]: int(line.split()[1]) for line in told.splitlines() if ":" in line}
    held = (kib["MemTotal"] - kib["MemAvailable"]) * 1024
    if held * ROOM > new.memory:
        raise DsvmError(
            f"machine `{machine.name}` holds more memory than it shall have",
            cause=f"its programs hold {held >> 20} MiB, {format_bytes(new.memory)} are wanted: "
            "the kernel would kill some of them",
            remedy=f"end some of them, or `dsvm stop {machine.name}` first",
        )


def _restarts(machine: Machine, change: Change, wanted: Wanted) -> Iterator[str]:
    yield from change.restart
    if differs(machine, wanted.engine):
        yield "another engine"
    elif change.size and not engine_of(machine).resizes_running:
        yield "its processors and memory are virtual hardware"


def _changes(
    machine: Machine, old: Wish, new: Wish, wanted: Wanted, change: Change
) -> Iterator[str]:
    was, will = old.size, new.size
    if will.cpus != was.cpus:
        yield f"CPUs {was.cpus} → {will.cpus}"
    if will.memory != was.memory:
        yield f"memory {format_bytes(was.memory)} → {format_bytes(will.memory)}"
    if will.disk != was.disk:
        yield f"disk {format_bytes(was.disk)} → {format_bytes(will.disk)}"
    if will.accelerator != was.accelerator:
        yield f"accelerator {was.accelerator} → {will.accelerator}"
    was_given, given = old.definition.size.devices, new.definition.size.devices
    if given != was_given:
        yield f"devices {_listed(was_given)} → {_listed(given)}"
    if differs(machine, wanted.engine):
        yield f"engine {machine.record.engine} → {wanted.engine}"
    yield from (one for one in change.said if not one.startswith("size now"))


def _listed(names: list[str] | None) -> str:
    if names is None:
        return "as its accelerator says"
    return ", ".join(names) or "none"
