"""Machines that come and go leave the host as it was."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from dsvm.engines.nspawn import limits
from dsvm.guest.inotify import Inotify, LimitReached
from dsvm.home import Home
from dsvm.machines.machine import Machine
from dsvm.machines.parts import engine_machine, engine_of
from dsvm.machines.state import Machines
from tests.system.spare import command, family, trace_of
from tests.system.typed import Dsvm

COUNT, LONG_COUNT = 3, 20


def test_machines_that_come_and_go_leave_nothing(
    home: Home, dsvm: Dsvm, small: Machine, small_folder: Path, request: pytest.FixtureRequest
) -> None:
    blobs, places = _blobs(home), set(home.root.iterdir())
    for number in range(LONG_COUNT if request.config.getoption("--long") else COUNT):
        name = f"passing-{number}"
        folder = home.root / "definitions" / name
        folder.mkdir()
        text = (small_folder / "dsvm.toml").read_text().replace('"small"', f'"{name}"')
        (folder / "dsvm.toml").write_text(text)
        shutil.copyfile(small_folder / "dsvm.lock", folder / "dsvm.lock")

        for words in (("up", "--engine", "nspawn"), ("stop",), ("start",)):
            done = dsvm(*words, "--yes", cwd=folder)
            assert done.returncode == 0, done.stderr
        machine = Machines(home).get(name)
        running = engine_of(machine).running(engine_machine(machine))
        assert running is not None
        processes = {pid: command(pid) for pid in family(running.pid)}
        gone = dsvm("rm", name, "--yes")
        assert gone.returncode == 0, gone.stderr
        shutil.rmtree(folder)

        assert [words for pid, words in processes.items() if words and command(pid) == words] == []
        assert _left(machine) == []
    assert _blobs(home) == blobs
    assert set(home.root.iterdir()) == places


def test_a_machine_too_many_for_the_hosts_limit_starts_and_says_so(
    dsvm: Dsvm, small: Machine
) -> None:
    """Hosts allow a user 128 inotify instances: enough for about eleven machines."""
    assert dsvm("stop", small.record.name).returncode == 0
    before, taken = limits.limit(), _inotify_instances(but=limits.WANTED // 2)
    try:
        done = dsvm("start", small.record.name)
        now = limits.limit()
    finally:
        for one in taken:
            one.close()
        limits.set_limit(before)

    assert done.returncode == 0, done.stderr
    assert now == max(limits.RAISED, 2 * before)
    assert f"{limits.SETTING} was {before}" in done.stdout + done.stderr


def _inotify_instances(but: int) -> list[Inotify]:
    """All that this user may still have on this host, but a few."""
    taken = []
    try:
        while True:
            taken.append(Inotify())
    except LimitReached:
        for one in taken[:but]:
            one.close()
    return taken[but:]


def _left(machine: Machine) -> list[str]:
    """What of the machine can still be seen on the host."""
    seen = trace_of(machine.folder, frozenset())
    found = [*seen.mounts, *seen.loops, *seen.groups]
    if machine.folder.exists():
        found.append(str(machine.folder))
    for port in (machine.record.ssh_port, *machine.record.apps.values()):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                found.append(f"port {port}")
    run = Path("/run/systemd/nspawn")
    return found + [str(path) for path in run.rglob("*") if machine.name in path.name]


def _blobs(home: Home) -> set[Path]:
    return {path for path in (home.store / "blobs").rglob("*") if path.is_file()}
