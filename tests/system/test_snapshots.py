"""A machine's past: taken, brought back, and dropped, with nothing lost."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from dsvm.home import Home
from dsvm.machines.machine import Machine
from dsvm.machines.state import Machines
from tests.system.typed import Dsvm

NAME = "past"
DISK = "disk.qcow2"


@pytest.fixture(scope="module")
def machine(home: Home, dsvm: Dsvm) -> Iterator[Machine]:
    folder = home.root / "definitions" / NAME
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dsvm.toml").write_text(
        f'name = "{NAME}"\nprofile = ""\ntools = ["git"]\n[size]\ncpus = 1\nmemory = "1G"\n'
    )
    up = dsvm("up", "--yes", "--engine", "nspawn", cwd=folder, timeout_s=900)
    assert up.returncode == 0, up.stderr
    yield Machines(home).get(NAME)
    dsvm("rm", NAME, "--yes")


def done(dsvm: Dsvm, *words: str) -> str:
    answer = dsvm(*words, timeout_s=300)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


def inside(dsvm: Dsvm, script: str) -> str:
    return done(dsvm, "run", NAME, "--", "sh", "-c", script)


def listed(dsvm: Dsvm) -> list[dict[str, Any]]:
    return list(json.loads(done(dsvm, "snapshots", NAME, "--json")))


def sound(machine: Machine) -> bool:
    """Whether the disk and all that it lies on are whole."""
    info = subprocess.run(
        [
            "qemu-img",
            "info",
            "-U",
            "--backing-chain",
            "--output=json",
            machine.folder / "disk.qcow2",
        ],
        capture_output=True,
        check=True,
    )
    chain = [one["filename"] for one in json.loads(info.stdout) if one["format"] == "qcow2"]
    return all(
        subprocess.run(["qemu-img", "check", "-q", "-U", disk], check=False).returncode == 0
        for disk in chain
    )


def test_the_past_comes_back_and_the_present_is_kept(machine: Machine, dsvm: Dsvm) -> None:
    inside(dsvm, "echo one > story")

    assert done(dsvm, "snapshot", NAME, "--note", "the first") == "s1"
    inside(dsvm, "echo two > story; seq 200000 > numbers")
    assert done(dsvm, "snapshot", NAME) == "s2"
    inside(dsvm, "echo three > story; sync")

    shown = listed(dsvm)
    assert [(one["id"], one["note"]) for one in shown] == [("s1", "the first"), ("s2", "")]
    assert all(one["bytes"] > 0 for one in shown)

    done(dsvm, "restore", NAME, "s1", "--yes")
    assert inside(dsvm, "cat story; test ! -e numbers") == "one"
    done(dsvm, "restore", NAME, "s3", "--yes")
    assert inside(dsvm, "cat story; wc -l < numbers") == "three\n200000"
    assert [one["id"] for one in listed(dsvm)] == ["s1", "s2", "s3", "s4"]
    assert listed(dsvm)[2]["note"] == "before the restore of s1"


def test_what_is_discarded_asks_first(machine: Machine, dsvm: Dsvm) -> None:
    refused = dsvm("restore", NAME, "s2", "--discard")

    assert refused.returncode == 1
    assert "lose all that" in refused.stderr
    assert inside(dsvm, "cat story") == "three"


def test_an_unknown_snapshot_names_those_there_are(machine: Machine, dsvm: Dsvm) -> None:
    refused = dsvm("restore", NAME, "s9")

    assert refused.returncode == 1
    assert refused.stderr == (
        f"error: machine `{NAME}` has no snapshot `s9`\nhint: there are: s1, s2, s3, s4\n"
    )


def test_gc_keeps_what_snapshots_need_and_a_middle_one_can_go(machine: Machine, dsvm: Dsvm) -> None:
    running = dsvm("snapshots", NAME, "--remove", "s2", "--yes")
    assert running.returncode == 1
    assert f"hint: dsvm stop {NAME}" in running.stderr

    done(dsvm, "stop", NAME)
    done(dsvm, "snapshots", NAME, "--remove", "s2", "--yes")
    done(dsvm, "snapshots", NAME, "--remove", "s3", "--yes")
    done(dsvm, "gc", "--yes")
    assert [one["id"] for one in listed(dsvm)] == ["s1", "s4"]
    assert sound(machine)
    done(dsvm, "start", NAME)
    assert inside(dsvm, "cat story; wc -l < numbers") == "three\n200000"


@pytest.mark.parametrize("steps", range(4))
def test_a_kill_while_it_is_taken_is_settled_by_the_next_command(
    machine: Machine, dsvm: Dsvm, steps: int
) -> None:
    """The files as they are after so many steps of a snapshot."""
    done(dsvm, "stop", NAME)
    known = {one["id"] for one in listed(dsvm)}
    place = machine.folder / "snapshots" / "s77"
    place.mkdir()
    if steps > 0:
        record = json.loads((machine.folder / "snapshots" / "s1" / "snapshot.json").read_text())
        (place / "snapshot.json").write_text(json.dumps(record | {"id": "s77"}))
    if steps > 1:
        backing = ["-b", place / "disk.qcow2", "-F", "qcow2"]
        new = place / "next.qcow2"
        create = ["qemu-img", "create", "-q", "-u", "-f", "qcow2", *map(str, backing), str(new)]
        subprocess.run([*create, str(disk_bytes(machine))], check=True)
    if steps > 2:
        os.link(machine.folder / "disk.qcow2", place / "disk.qcow2")

    done(dsvm, "start", NAME)

    assert inside(dsvm, f"cat story; echo {steps} >> kept; tail -1 kept") == f"three\n{steps}"
    assert {one["id"] for one in listed(dsvm)} - known == ({"s77"} if steps > 2 else set())
    assert not (machine.folder / "disk.next.qcow2").exists()
    assert sound(machine)


def disk_bytes(machine: Machine) -> int:
    info = ["qemu-img", "info", "-U", "--output=json", str(machine.folder / "disk.qcow2")]
    said = subprocess.run(info, capture_output=True, check=True)
    return int(json.loads(said.stdout)["virtual-size"])


def test_what_is_written_while_snapshots_are_taken_is_not_lost(
    machine: Machine, dsvm: Dsvm
) -> None:
    inside(dsvm, WRITER)
    for _ in range(3):
        done(dsvm, "snapshot", NAME)
    inside(dsvm, "kill $(cat writer); sleep 0.5; sha256sum blob* > sums; sync")

    done(dsvm, "stop", NAME)

    assert sound(machine)
    assert file_system_is_clean(machine)
    done(dsvm, "start", NAME)
    assert inside(dsvm, "sha256sum -c --quiet sums && cat story") == "three"


# Truncates and writes anew: the metadata of the file system changes all the time.
WRITER = (
    "sh -c 'while :; do for i in 1 2 3; do head -c 700000 /dev/urandom > blob$i; sleep 0.02; "
    "done; done' > /dev/null 2>&1 & echo $! > writer"
)


def file_system_is_clean(machine: Machine) -> bool:
    """What e2fsck says of a stopped machine's root file system, without a repair."""
    raw = machine.folder / "copy.raw"
    copy = ["qemu-img", "convert", "-O", "raw", str(machine.folder / DISK), str(raw)]
    subprocess.run(copy, check=True)
    try:
        place = f"{raw}?offset={machine.record.image.root_offset}"
        return subprocess.run(["e2fsck", "-f", "-n", place], check=False).returncode == 0
    finally:
        raw.unlink()


def test_a_virtual_machine_takes_them_too(machine: Machine, dsvm: Dsvm) -> None:
    done(dsvm, "stop", NAME)
    done(dsvm, "start", NAME, "--engine", "qemu")
    inside(dsvm, WRITER)

    done(dsvm, "snapshot", NAME)
    taken = done(dsvm, "snapshot", NAME)
    inside(dsvm, "kill $(cat writer); echo four > story; sync")
    done(dsvm, "stop", NAME)
    assert file_system_is_clean(machine)

    done(dsvm, "start", NAME, "--engine", "nspawn")
    assert inside(dsvm, "cat story") == "four"
    done(dsvm, "restore", NAME, taken, "--discard", "--yes")
    assert inside(dsvm, "cat story") == "three"
