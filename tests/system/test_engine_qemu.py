"""One disk, two engines: a machine goes from nspawn to QEMU and back with all it has."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dsvm.engines.qemu.engine import CUT_OFF
from dsvm.engines.sockets import reachable
from dsvm.home import Home
from dsvm.machines.machine import Machine
from dsvm.machines.state import Machines
from dsvm.store import Store
from tests.system.persons import make_key, public_key, user
from tests.system.ports import LOOPBACK, listeners_of, named, processes
from tests.system.spare import command
from tests.system.typed import Dsvm

BOOT_S = 500
PERSON = 4321
"""Somebody of the host, to whom the shown folders belong."""
GIB = 1 << 30
TABLE = "import sqlite3; db = sqlite3.connect('rows.db'); "
ADD = (
    f"{TABLE}db.execute('create table if not exists r(x)'); "
    "db.execute('insert into r values(7)'); db.commit()"
)
COUNT = (
    f"{TABLE}assert db.execute('pragma integrity_check').fetchone() == ('ok',); "
    "print(db.execute('select count(*) from r').fetchone()[0])"
)


@pytest.fixture(scope="module")
def machine(home: Home, dsvm: Dsvm) -> Machine:
    """A stopped machine that nspawn has made, booted and written to."""
    folder = home.root / "definitions" / "both"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dsvm.toml").write_text(
        'name = "both"\nprofile = ""\ntools = ["python"]\n[size]\ncpus = 2\nmemory = "1G"\n'
    )
    key = home.root / "definitions" / "ann"
    if not key.exists():
        make_key(key)
    with (folder / "dsvm.toml").open("a") as definition:
        definition.write(f"{user('ann', public_key(key))}\n[mounts]\n")
        for name, protected in (("shown", ""), ("kept", ":ro")):
            place = shared(home, name)
            place.mkdir(exist_ok=True)
            (place / "of-host").write_text(f"{name} by the host\n")
            for one in (place, place / "of-host"):
                os.chown(one, PERSON, PERSON)
            definition.write(f'"~/host/{name}" = "{place}{protected}"\n')
    up = dsvm("up", "--yes", "--engine", "nspawn", cwd=folder, timeout_s=900)
    assert up.returncode == 0, up.stderr
    assert ran(dsvm, "sh", "-c", "umask 077; mkdir work; seq 100000 > work/numbers") == ""
    assert ran(dsvm, "/opt/dsvm/envs/base/bin/python", "-c", ADD) == ""
    ran(dsvm, "sh", "-c", OVERLAY)
    assert dsvm("stop", "both").returncode == 0
    return Machines(home).get("both")


# A package of one's own in the environment's writable overlay.
OVERLAY = (
    "cd $(/opt/dsvm/envs/base/bin/python -c 'import site; print(site.getsitepackages()[0])') "
    "&& echo 'answer = 42' > mine.py"
)


def shared(home: Home, name: str) -> Path:
    return home.root / "definitions" / "both" / name


def ran(dsvm: Dsvm, *command: str) -> str:
    done = dsvm("run", "both", "--", *command, timeout_s=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def listed(dsvm: Dsvm) -> dict[str, Any]:
    rows = json.loads(dsvm("ls", "--json").stdout)
    return next(row for row in rows if row["name"] == "both")


def carried(dsvm: Dsvm) -> list[str]:
    """All that has to come along."""
    python = "/opt/dsvm/envs/base/bin/python"
    return [
        ran(dsvm, "sha256sum", "work/numbers"),
        ran(dsvm, "stat", "-c", "%a %U", "work/numbers"),
        ran(dsvm, python, "-c", "import mine; print(mine.answer)"),
        ran(dsvm, "id", "ann"),
        ran(dsvm, "cat", "/etc/ssh/ssh_host_ed25519_key.pub"),
        ran(dsvm, "sh", "-c", "cd host; stat -c '%U %G' . shown kept; cat shown/* kept/*"),
    ]


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_machine_goes_to_qemu_and_back_with_all_it_has(
    machine: Machine, dsvm: Dsvm, request: pytest.FixtureRequest
) -> None:
    python = "/opt/dsvm/envs/base/bin/python"
    rows, before = 1, None
    for _ in range(10 if request.config.getoption("--long") else 1):
        for engine, kind in (("nspawn", "systemd-nspawn"), ("qemu", "qemu")):
            assert dsvm("stop", "both", timeout_s=300).returncode == 0
            assert sound(machine)
            started = dsvm("start", "both", "--engine", engine, timeout_s=BOOT_S)
            assert started.returncode == 0, started.stderr
            assert ran(dsvm, "sh", "-c", "systemd-detect-virt || true") == kind
            assert (before := before or carried(dsvm)) == carried(dsvm)
            ran(dsvm, python, "-c", ADD)
            rows += 1
            assert ran(dsvm, python, "-c", COUNT) == str(rows)


def sound(machine: Machine) -> bool:
    """Whether a stopped machine's disk is whole, also by its reference counts."""
    check = ["qemu-img", "check", "-q", str(machine.folder / "disk.qcow2")]
    return subprocess.run(check, check=False).returncode == 0


def test_folders_of_the_host_are_shown_to_a_virtual_machine_too(
    machine: Machine, home: Home, dsvm: Dsvm
) -> None:
    shown, kept = shared(home, "shown"), shared(home, "kept")
    refused = "! touch kept/new 2>&1; ! rm kept/of-host 2>&1; ! sudo touch kept/new shown/new 2>&1"

    ran(dsvm, "sh", "-c", "cd host/shown && mkdir deep && echo inside > deep/file")
    (shown / "later").write_text("later\n")
    said = ran(dsvm, "sh", "-c", f"cd host; {refused}")

    written = shown / "deep" / "file"
    assert written.read_text() == "inside\n"
    assert (written.stat().st_uid, written.stat().st_gid) == (PERSON, PERSON)
    assert ran(dsvm, "cat", "host/shown/later") == "later"
    assert said.count("Read-only file system") == 3
    assert sorted(one.name for one in kept.iterdir()) == ["of-host"]
    assert not (shown / "new").exists()
    shutil.rmtree(shown / "deep")
    (shown / "later").unlink()
    assert helpers(machine)  # each of them is gone when QEMU is killed below


def helpers(machine: Machine) -> set[str]:
    """The processes that serve the machine's folders, by the log that they write to."""
    log, found = machine.logs / "engine.log", set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "fd" / "1").resolve() == log.resolve():
                found.add(process.name)
    return found


def test_emulation_is_said_and_the_host_listens_where_ls_says_alone(
    home: Home, machine: Machine, dsvm: Dsvm
) -> None:
    row = listed(dsvm)

    assert (row["state"], row["engine"]) == ("running", "qemu")
    assert len(row["notes"]) == len(set(row["notes"]))
    taken = listeners_of(home)
    assert machine.record.ssh_port in {one.port for one in taken}
    assert {one.port for one in taken} == named(dsvm)
    assert {one.address for one in taken} <= LOOPBACK


def test_its_disk_grows_while_it_runs(machine: Machine, dsvm: Dsvm, home: Home) -> None:
    """Then it is killed by the last test here, and its journal holds."""
    boot = ran(dsvm, "cat", "/proc/sys/kernel/random/boot_id")
    assert file_system(dsvm) < 40 * GIB
    folder = home.root / "definitions" / "both"
    text = (folder / "dsvm.toml").read_text()
    (folder / "dsvm.toml").write_text(text.replace("[size]", '[size]\ndisk = "60G"'))

    up = dsvm("up", "--yes", "--json", cwd=folder, timeout_s=BOOT_S)

    assert up.returncode == 0, up.stderr
    assert "the disk has grown while the machine runs" in json.loads(up.stdout)["changes"]
    assert 0.95 * 60 * GIB < file_system(dsvm) < 60 * GIB
    assert ran(dsvm, "cat", "/proc/sys/kernel/random/boot_id") == boot
    assert not [note for note in listed(dsvm)["notes"] if "disk" in note]


def file_system(dsvm: Dsvm) -> int:
    """Bytes of the root file system, as a person sees them."""
    return int(ran(dsvm, "df", "-B1", "--output=size", "/").split()[1])


def test_the_screen_is_shown_to_the_owner_alone(machine: Machine, dsvm: Dsvm) -> None:
    place = Path(json.loads(dsvm("open", "both", "--screen", "--json").stdout)["socket"])

    assert (machine.folder.stat().st_mode & 0o077, place.is_socket()) == (0, True)
    with reachable(place) as path, socket.socket(socket.AF_UNIX) as screen:
        screen.settimeout(20)
        screen.connect(path)
        greeting = screen.recv(12)
        assert greeting == b"RFB 003.008\n"
        screen.sendall(greeting)
        assert screen.recv(2) == b"\x01\x01"  # one way to sign in: none (RFC 6143, 7.1.2)
        screen.sendall(b"\x01")
        assert screen.recv(4) == b"\0\0\0\0"
        screen.sendall(b"\x01")
        width, height = struct.unpack(">HH", screen.recv(4))
        assert width >= 640
        assert height >= 400


def test_a_disk_in_use_is_refused_to_everyone_else(machine: Machine, dsvm: Dsvm) -> None:
    other = dsvm("start", "both", "--engine", "nspawn")
    assert other.returncode == 1
    assert "runs with engine `qemu`" in other.stderr

    disk = machine.folder / "disk.qcow2"
    opened = subprocess.run(
        ["qemu-io", "-c", "read 0 512", disk], capture_output=True, text=True, check=False
    )
    assert opened.returncode != 0
    assert "lock" in opened.stderr


def test_a_machine_whose_passt_is_killed_is_told_and_comes_back(
    machine: Machine, dsvm: Dsvm
) -> None:
    before = carried(dsvm)
    forward = f"127.0.0.1/{machine.record.ssh_port}:22"
    (passt,) = [pid for pid in processes() if f"passt --quiet {forward}" in short(pid)]

    os.kill(passt, signal.SIGKILL)

    deadline = time.monotonic() + 20
    while CUT_OFF not in listed(dsvm)["notes"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert listed(dsvm)["state"] == "running"
    back = dsvm("start", "both", timeout_s=BOOT_S)
    assert back.returncode == 0, back.stderr
    assert "both has lost its network and restarts" in back.stderr
    assert CUT_OFF not in listed(dsvm)["notes"]
    assert carried(dsvm) == before


def short(pid: int) -> str:
    """A passt's command: its name and what it forwards."""
    words = command(pid).split()
    return " ".join([*words[:2], *(word for word in words if ":22" in word)])


def test_a_killed_qemu_leaves_nothing_and_the_machine_comes_back(
    machine: Machine, dsvm: Dsvm
) -> None:
    ran(dsvm, "sh", "-c", "echo kept > synced && sync")
    pid = int(Path(machine.folder, "engine", "pid").read_text())

    os.kill(pid, signal.SIGKILL)

    deadline = time.monotonic() + 20
    while listens(machine.record.ssh_port) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not listens(machine.record.ssh_port)
    while helpers(machine) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert helpers(machine) == set()
    assert listed(dsvm)["state"] == "stopped"
    back = dsvm("start", "both", "--engine", "nspawn")
    assert back.returncode == 0, back.stderr
    assert ran(dsvm, "cat", "synced") == "kept"
    assert file_system(dsvm) > 0.95 * 60 * GIB


def test_a_damaged_layer_is_never_shown_to_a_virtual_machine(
    machine: Machine, home: Home, dsvm: Dsvm
) -> None:
    """The guest does not hash the layers of a local machine; the host does, before each start."""
    assert dsvm("stop", "both").returncode == 0
    store = Store(home.store)
    layer = Machines(home).get("both").record.layers[0]
    blob = store.get(layer.digest)
    whole = blob.with_name("whole")
    blob.rename(whole)
    content = bytearray(whole.read_bytes())
    content[len(content) // 2] ^= 1
    blob.write_bytes(content)
    try:
        refused = dsvm("start", "both", "--engine", "qemu")
        state = listed(dsvm)["state"]
    finally:
        whole.replace(blob)

    assert refused.returncode == 1
    assert f"{layer.name}: damaged" in refused.stderr
    assert state == "stopped"
    assert dsvm("rm", "both", "--yes").returncode == 0
