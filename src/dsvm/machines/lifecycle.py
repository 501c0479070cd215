"""Start, stop and remove a machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dsvm.build.guest_tree import guest_digest
from dsvm.engines.network import is_free
from dsvm.home import Home
from dsvm.machines.engine import switch_engine
from dsvm.machines.enlarge import grow_stopped
from dsvm.machines.frozen import drop_superseded
from dsvm.machines.inside import apply_seed, guest_state
from dsvm.machines.machine import Machine
from dsvm.machines.parts import applied, engine_machine, engine_of, patience
from dsvm.machines.ports import choose_port
from dsvm.machines.renew import renew_guest
from dsvm.machines.seed import refresh_network
from dsvm.machines.sound import check_sound
from dsvm.machines.ssh import GREETING_S, SshFailed
from dsvm.machines.state import Machines
from dsvm.progress import Progress

BOOT_S = 120.0
BOOT_PATIENCE = 5.0
"""Much of a boot is waiting, which emulation does not make longer."""
STOP_S = 30.0
SSH = "SSH"
"""No app is called so: their names are lower case."""


def start(home: Home, name: str, *, progress: Progress, engine: str | None = None) -> Machine:
    """Start a machine, with another engine if one is named, and wait until it is usable.

    At once when it runs. Raises `NoSuchMachine`, `MachineBusy`, and `DsvmError` when it does not
    come up, or runs with another engine than the named one.
    """
    machines = Machines(home)
    machines.get(name)
    with machines.hold(name, "start"):
        machine = machines.get(name)
        if engine:
            machine = switch_engine(machines, machine, engine)
        return start_held(machines, machine, progress=progress)


def start_held(
    machines: Machines, machine: Machine, *, progress: Progress, renew: bool = False
) -> Machine:
    """As `start`, by who holds the machine; with `renew` it gets the guest code of this dsvm."""
    engine = engine_of(machine)
    end_cut_off(machine, progress)
    # Who started it may have been killed while it booted; or it is just powering off.
    if engine.running(engine_machine(machine)) is None or not _answers(machine):
        machine = _with_free_ports(machines, machine, progress)
        check_sound(machine, progress)
        drop_superseded(machine, progress)
        machine = grow_stopped(machines, machine, progress)
        refresh_network(machine, applied(machine.record))
        with progress.step(f"starting {machine.name}") as step:
            started = engine_machine(machine)
            engine.start(started)
            step.say("waiting for SSH")
            _reach(machine)
        for note in started.notes:
            if note not in machine.record.notes:
                progress.note(note)
    if renew:
        return renewed(machines, machine, progress)
    return seen(machines, machine, guest_state(machine))


def end_cut_off(machine: Machine, progress: Progress) -> None:
    """Stop a machine that has lost its network: nothing reaches it until it starts again."""
    found = engine_of(machine).running(engine_machine(machine))
    if found and found.cut_off:
        progress.note(f"{machine.name} has lost its network and restarts")
        stop_held(machine)


def wait_ready(machine: Machine) -> None:
    """Wait for SSH, as long as a machine of its engine may take. Raises `SshFailed`."""
    slow, engine = patience(machine), engine_of(machine)
    machine.ssh.wait_ready(
        BOOT_S * min(slow, BOOT_PATIENCE),
        GREETING_S * slow,
        ended=lambda: engine.running(engine_machine(machine)) is None,
    )


def _answers(machine: Machine) -> bool:
    """Wait for a machine that runs; False: it has ended instead. Raises `SshFailed`."""
    try:
        wait_ready(machine)
    except SshFailed:
        if engine_of(machine).running(engine_machine(machine)) is not None:
            raise
        return False
    return True


def renewed(machines: Machines, machine: Machine, progress: Progress) -> Machine:
    """A running machine with the guest code of this dsvm, which has applied the seed."""
    if renew_guest(machine, progress):
        return seen(machines, machine, apply_seed(machine))
    state = guest_state(machine)
    if state.get("guest") != guest_digest():  # a renewal was killed before its end
        state = apply_seed(machine)
    return seen(machines, machine, state)


def seen(machines: Machines, machine: Machine, state: dict[str, Any]) -> Machine:
    """Keep what the guest told of the machine."""
    update = {"accelerator": state["accelerator"], "guest": state.get("guest", "")}
    return machines.save(machine.record.model_copy(update=update))


def stop(home: Home, name: str, *, timeout_s: float = STOP_S) -> bool:
    """Power a machine off, by force after `timeout_s` seconds; whether it ran.

    Raises `NoSuchMachine`, `MachineBusy`.
    """
    machines = Machines(home)
    machines.get(name)
    with machines.hold(name, "stop"):
        return stop_held(machines.get(name), timeout_s)


def stop_held(machine: Machine, timeout_s: float = STOP_S) -> bool:
    """As `stop`, by who holds the machine."""
    engine, known = engine_of(machine), engine_machine(machine)
    ran = engine.running(known) is not None
    machine.ssh.close()
    engine.stop(known, timeout_s * min(patience(machine), BOOT_PATIENCE))
    return ran


def rm(home: Home, name: str) -> None:
    """Stop a machine and remove all of it. What a killed `up` or `rm` left goes, too.

    Raises `NoSuchMachine`, `MachineBusy`.
    """
    machines = Machines(home)
    if not machines.folder(name).is_dir():
        machines.get(name)
    with machines.hold(name, "rm"):
        machine = machines.find(name)
        if machine is not None:
            stop_held(machine)
            engine_of(machine).destroy(engine_machine(machine))
        machines.clear(name)


def _reach(machine: Machine) -> None:
    """Wait for SSH; a machine that does not answer is not left running."""
    try:
        wait_ready(machine)
    except BaseException as failed:
        stop_held(machine, timeout_s=5)
        if isinstance(failed, SshFailed):
            failed.log = console(machine)
        raise


def console(machine: Machine) -> Path:
    return machine.logs / "console.log"


def _with_free_ports(machines: Machines, machine: Machine, progress: Progress) -> Machine:
    """The machine with another port wherever somebody else took its own meanwhile."""
    record = machine.record
    taken = machines.ports_of_others(machine.name)
    new: dict[str, int] = {}
    for what, port in {SSH: record.ssh_port, **record.apps}.items():
        if port not in taken and is_free(port):
            continue
        new[what] = choose_port(f"{machine.folder}/{what}", taken)
        taken.add(new[what])
        progress.note(f"port {port} is taken, {what} of {machine.name} moves to {new[what]}")
    if not new:
        return machine
    ssh_port = new.pop(SSH, record.ssh_port)
    return machines.save(
        record.model_copy(update={"ssh_port": ssh_port, "apps": {**record.apps, **new}})
    )
