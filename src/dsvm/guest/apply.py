"""`dsvm-guest apply`: make the machine what its seed says. Safe to kill, safe to run again."""

from __future__ import annotations

import fcntl
import pwd
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dsvm.guest import (
    alone,
    config,
    devices,
    environments,
    hardware,
    identity,
    kernels,
    mounts,
    network,
    runs,
    seedfile,
    units,
    users,
    views,
)
from dsvm.guest.environments import Account
from dsvm.guest.outcome import Outcome
from dsvm.guest.places import RUN
from dsvm.guest.renew import manifest
from dsvm.guest.seed import Seed
from dsvm.guest.system import GuestError, folder, run

LOCK = RUN / "lock"
BOOTED = RUN / "booted"
WATCHER = "dsvm-kernels@{}.service"


def apply() -> Outcome:
    """Do all of it, as far as it goes; what failed is in the outcome's `errors`."""
    folder(RUN)
    with locked():
        out = Outcome(guest=manifest().digest)
        try:
            _apply(seedfile.load(), out)
        except GuestError as failed:
            out.errors.append(str(failed))
        out.save()
    return out


@contextmanager
def locked() -> Iterator[None]:
    """Only one change of the machine at a time; a killed holder's lock is free at once."""
    with LOCK.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _apply(seed: Seed, out: Outcome) -> None:
    out.name, out.login, out.image = seed["name"], seed["login"], seed["image"]
    _once_a_boot()
    if seed.get("alone"):
        seed = alone.completed(seed)
    with _timed(out, "identity"):
        identity.apply(seed)
    login = users.account(seed["login"])
    home = Path(pwd.getpwnam(login.name).pw_dir)
    with _timed(out, "users"):
        people = users.apply(seed, out.errors)
    with _timed(out, "devices"):
        given = devices.apply(out)
    with _timed(out, "network"):
        variables = network.apply(seed["network"], login, home, out, given)
    with _timed(out, "mounts"):
        mounts.apply(login, home, out.errors)
    with _timed(out, "environments"):
        nvidia = _nvidia(seed)
        _tell_gpu(seed, nvidia, out)
        here = views.mounted()
        there = [person for person in people if person.name in here]
        moved = environments.apply(seed, nvidia, login, there, out)
        views.forget()
    with _timed(out, "kernels"):
        pythons = {one.name: one.python for one in out.environments if one.variant}
        kernels.apply(seed, pythons, login)
        _watch(login)
    with _timed(out, "units"):
        written = config.apply(seed)
        units.apply(seed, login, moved | written, variables, out)
        runs.go_on(login, home)
    out.users = [person.name for person in people]


def _once_a_boot() -> None:
    if not BOOTED.exists():
        environments.start_clean()
        BOOTED.touch()


def _nvidia(seed: Seed) -> hardware.Nvidia:
    """What there is of it for this machine: none if it wants none, and then none is tried."""
    return hardware.Nvidia(False) if seed["accelerator"] == "cpu" else hardware.Look().nvidia()


def _tell_gpu(seed: Seed, nvidia: hardware.Nvidia, out: Outcome) -> None:
    out.accelerator = "nvidia" if nvidia.usable else "cpu"
    if not nvidia.present:
        return
    if fault := nvidia.fault:
        out.errors.append(fault.sentence())
    elif not any("nvidia" in one["variants"] for one in seed["environments"]):
        out.notes.append("a GPU is there; no environment of this machine has a build for it")


def _watch(login: Account) -> None:
    """Start the kernel watcher of the login, and end other ones: users have theirs when there."""
    wanted = WATCHER.format(login.name)
    told = run("systemctl", "list-units", "--plain", "--no-legend", WATCHER.format("*"))
    running = {line.split()[0] for line in told.splitlines() if line.strip()}
    if gone := sorted(running - {wanted}):
        run("systemctl", "--no-block", "stop", *gone)
    if wanted not in running:
        run("systemctl", "--no-block", "start", wanted)


@contextmanager
def _timed(out: Outcome, what: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    out.seconds[what] = round(time.monotonic() - start, 3)
