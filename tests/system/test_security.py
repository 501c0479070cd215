"""What of a machine others reach: the host's ports, passwords, secrets, and files of the home.

What a machine inherits of its host's passwords is in `test_secrets.py`.
"""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

import pytest

from dsvm.home import Home
from dsvm.machines.listing import running
from dsvm.machines.machine import Machine
from tests.system.ports import (
    LOOPBACK,
    answers,
    listeners,
    listeners_of,
    named,
    own_address,
    sockets_of,
)
from tests.system.spare import command, family
from tests.system.typed import Dsvm


def processes_of(machine: Machine) -> set[int]:
    """Those below the machine's one process, and whatever names its folder."""
    known = running(machine)
    assert known
    numbers = (int(path.name) for path in Path("/proc").glob("[0-9]*"))
    naming = {number for number in numbers if str(machine.folder) in command(number)}
    return naming | family(known.pid)


@pytest.mark.parametrize("which", ["small", "starter"])
def test_a_machine_takes_the_ports_that_ls_names_on_the_loopback_and_no_other(
    which: str, request: pytest.FixtureRequest, dsvm: Dsvm
) -> None:
    machine: Machine = request.getfixturevalue(which)
    rows = {row["name"]: row for row in json.loads(dsvm("ls", "--json").stdout)}
    named = rows[which]["ports"]

    own = sockets_of(processes_of(machine))
    taken = [one for one in listeners() if one.inode in own]

    assert set(named) == {"ssh", *machine.record.apps}
    assert {one.port for one in taken} == set(named.values())
    assert {one.address for one in taken} <= LOOPBACK


def test_a_scan_of_the_host_finds_what_ls_names_on_the_loopback_and_no_other(
    home: Home, dsvm: Dsvm, small: Machine, starter: Machine
) -> None:
    taken = listeners_of(home)

    assert {one.port for one in taken} == named(dsvm)
    assert {one.address for one in taken} <= LOOPBACK
    assert {small.record.ssh_port, starter.record.ssh_port} <= named(dsvm)
    if address := own_address():
        assert not [port for port in named(dsvm) if answers(address, port)]


def test_a_stopped_machine_takes_no_port(home: Home, dsvm: Dsvm, small: Machine) -> None:
    assert dsvm("stop", small.name).returncode == 0
    try:
        assert not {one.port for one in listeners_of(home)} & {small.record.ssh_port}
        assert {one.port for one in listeners_of(home)} == named(dsvm)
    finally:
        assert dsvm("start", small.name).returncode == 0


def test_nobody_has_a_password(small: Machine) -> None:
    lines = small.ssh.run(["sudo", "-n", "cat", "/etc/shadow"]).stdout.splitlines()
    passwords = {line.split(":")[0]: line.split(":")[1] for line in lines}

    assert {"root", "ds"} <= passwords.keys()
    assert {name for name, word in passwords.items() if word[:1] not in ("!", "*")} == set()


@pytest.mark.parametrize("login", ["root", "ds"])
def test_only_a_key_opens_a_login(small: Machine, login: str) -> None:
    words = ["ssh", "-F", "none", "-p", str(small.record.ssh_port), "-o", "BatchMode=yes"]
    words += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    words += ["-o", "IdentityAgent=none", "-i", "/dev/null", "-o", "PubkeyAuthentication=no"]
    done = subprocess.run(
        [*words, f"{login}@127.0.0.1", "true"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 255
    assert "Permission denied (publickey)" in done.stderr


def test_a_machines_secrets_are_in_no_file_that_others_read_and_no_command_line(
    home: Home, starter: Machine, starter_folder: Path
) -> None:
    """Its apps' tokens and its private keys; layers, images, locks, logs and reports included."""
    secrets = [*starter.record.tokens.values()]
    secrets += [_line_of(file) for file in starter.folder.glob("ssh/*") if _is_private(file)]
    assert len(secrets) >= 2

    holding = _holding(secrets, home.root, starter_folder)

    assert starter.folder / "machine.json" in holding
    assert starter.identity in holding
    assert all(path.is_relative_to(starter.folder) for path in holding)
    assert [path for path in holding if not _closed(path, home.root)] == []
    for part in ("reports", "logs"):
        assert not [path for path in holding if part in path.relative_to(starter.folder).parts]
    shown = [command(int(path.name)) for path in Path("/proc").glob("[0-9]*")]
    assert not [line for line in shown if any(secret in line for secret in secrets)]


def _is_private(file: Path) -> bool:
    return file.is_file() and b"PRIVATE KEY" in file.read_bytes()[:80]


def _line_of(key: Path) -> str:
    """The line of a private key that differs most from other keys: the one before the last two."""
    return key.read_text().splitlines()[-3]


def _holding(secrets: list[str], *places: Path) -> set[Path]:
    """The files that hold one of them."""
    done = subprocess.run(
        ["grep", "-rlaF", "-D", "skip", "-f", "-", *places],
        input="\n".join(secrets),
        capture_output=True,
        text=True,
        check=False,
    )
    return {Path(line) for line in done.stdout.splitlines()}


def _closed(path: Path, root: Path) -> bool:
    """Whether the file, or a folder above it that dsvm made, keeps others out."""
    made = [one for one in (path, *path.parents) if one != root and one.is_relative_to(root)]
    return any(not stat.S_IMODE(one.stat().st_mode) & 0o7 for one in made)
