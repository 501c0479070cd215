"""Start, stop and remove a machine; the pages of its apps."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from dsvm.errors import DsvmError, UsageError
from dsvm.home import Home
from dsvm.machines.inside import guest_state
from dsvm.machines.machine import Machine
from dsvm.machines.parts import applied, engine_machine, engine_of
from dsvm.machines.ports import choose_port, is_free
from dsvm.machines.seed import refresh_network
from dsvm.machines.ssh import SshFailed
from dsvm.machines.state import Machines
from dsvm.progress import Progress

BOOT_S = 120.0
STOP_S = 30.0
APP_S = 60.0
APP_POLL_S = 0.1
SSH = "SSH"
"""No app is called so: their names are lower case."""


def start(home: Home, name: str, *, progress: Progress) -> Machine:
    """Start a machine and wait until it is usable; at once when it runs.

    Raises `NoSuchMachine`, `MachineBusy`, and `DsvmError` when it does not come up.
    """
    machines = Machines(home)
    machines.get(name)
    with machines.hold(name, "start"):
        return start_held(machines, machines.get(name), progress=progress)


def start_held(machines: Machines, machine: Machine, *, progress: Progress) -> Machine:
    """As `start`, by who holds the machine."""
    engine = engine_of(machine)
    if engine.running(engine_machine(machine)) is None:
        machine = _with_free_ports(machines, machine, progress)
        refresh_network(machine, applied(machine.record))
        with progress.step(f"starting {machine.name}") as step:
            engine.start(engine_machine(machine))
            step.say("waiting for SSH")
            _reach(machine)
    state = guest_state(machine)
    return machines.save(machine.record.model_copy(update={"accelerator": state["accelerator"]}))


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
    engine.stop(known, timeout_s)
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


@dataclass(frozen=True)
class Page:
    """An app's page on the host's loopback: `url` signs in, `ready` answers once it works."""

    app: str
    url: str
    ready: str


def pages(machine: Machine) -> dict[str, Page]:
    """The pages of all apps, by name."""
    found = {}
    for app, port in machine.record.apps.items():
        page, root = machine.record.pages[app], f"http://127.0.0.1:{port}"
        token = machine.record.tokens[app]
        path, ready = (text.replace("{token}", token) for text in (page.path, page.ready))
        found[app] = Page(app, root + path, root + ready)
    return found


def open_app(machine: Machine, app: str | None = None, *, timeout_s: float = APP_S) -> str:
    """The address that opens the app signed in, once it answers there.

    Without a name it is the machine's first app. Raises `UsageError` when there is none of that
    name, `DsvmError` when it does not answer within `timeout_s` seconds.
    """
    known = pages(machine)
    if not known:
        raise UsageError(
            f"machine `{machine.name}` has no app to open",
            remedy="`dsvm add jupyterlab` gives it one",
        )
    page = known.get(app or next(iter(known)))
    if page is None:
        raise UsageError(
            f"machine `{machine.name}` has no app `{app}`", remedy=f"it has: {', '.join(known)}"
        )
    _wait_for(machine, page, timeout_s)
    return page.url


def _wait_for(machine: Machine, page: Page, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    last = "nothing answered"
    # Never through a proxy: the page is on this host.
    with httpx.Client(trust_env=False, timeout=5, follow_redirects=True) as client:
        while time.monotonic() < deadline:
            try:
                answer = client.get(page.ready)
                if answer.status_code == httpx.codes.OK:
                    return
                last = f"it answered {answer.status_code}"
            except httpx.HTTPError as failed:
                last = str(failed) or type(failed).__name__
            if engine_of(machine).running(engine_machine(machine)) is None:
                raise DsvmError(
                    f"machine `{machine.name}` is stopped", remedy=f"`dsvm start {machine.name}`"
                )
            time.sleep(APP_POLL_S)
    raise DsvmError(
        f"{page.app} does not answer on machine `{machine.name}`",
        cause=f"{last} within {timeout_s:.0f} s",
        remedy=f"`dsvm run {machine.name} -- journalctl -u {page.app}` shows why",
    )


def _reach(machine: Machine) -> None:
    """Wait for SSH; a machine that does not answer is not left running."""
    try:
        machine.ssh.wait_ready(BOOT_S)
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
