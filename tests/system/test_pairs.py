"""Two commands at once on one machine or one store: one waits, or says who holds it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from dsvm.home import Home
from dsvm.machines.machine import Machine
from dsvm.machines.state import Machines
from dsvm.store import Store
from tests.system.typed import Dsvm

NAME = "paired"


@dataclass(frozen=True)
class Pair:
    """A machine of its own, like `small`, on which two commands work at once."""

    home: Home
    dsvm: Dsvm
    folder: Path

    def at_once(self, *commands: str) -> list[CompletedProcess[str]]:
        """All of them started together; none shows a traceback, whoever fails names the holder."""
        with ThreadPoolExecutor(len(commands)) as pool:
            done = list(pool.map(self.one, commands))
        for command, result in zip(commands, done, strict=True):
            said = result.stdout + result.stderr
            assert "Traceback" not in said, f"{command}: {said}"
            assert result.returncode in (0, 1), f"{command}: {said}"
            if result.returncode:
                assert result.stderr.startswith("error:") or "\nerror:" in result.stderr, said
                assert "hint:" in result.stderr, said
        return done

    def one(self, command: str) -> CompletedProcess[str]:
        return self.dsvm(*command.split(), cwd=self.folder, timeout_s=300)

    def state(self) -> str:
        rows = json.loads(self.dsvm("ls", "--json").stdout)
        return next((str(row["state"]) for row in rows if row["name"] == NAME), "gone")

    def mend(self) -> None:
        """The next `up` finds all in order: the machine answers, its layers are whole."""
        done = self.one("up --yes")
        assert done.returncode == 0, done.stderr
        assert self.one(f"run {NAME} -- true").returncode == 0
        record = Machines(self.home).get(NAME).record
        store = Store(self.home.store)
        assert store.sound(record.image.digest)
        assert all(store.sound(layer.digest) for layer in record.layers)


@pytest.fixture(scope="module")
def pair(home: Home, dsvm: Dsvm, small: Machine) -> Iterator[Pair]:
    folder = home.root / "definitions" / NAME
    folder.mkdir(parents=True, exist_ok=True)
    text = f'name = "{NAME}"\nprofile = ""\ntools = ["git"]\n[size]\ncpus = 1\nmemory = "1G"\n'
    (folder / "dsvm.toml").write_text(text)
    dsvm("rm", NAME, "--yes")
    yield Pair(home, dsvm, folder)
    dsvm("rm", NAME, "--yes")


def busy(done: CompletedProcess[str]) -> bool:
    """Refused because of the other one, which it names."""
    return done.returncode == 1 and "is busy" in done.stderr and "works on it" in done.stderr


def test_of_two_ups_one_makes_the_machine_and_the_other_waits_or_names_it(pair: Pair) -> None:
    done = pair.at_once("up --yes", "up --yes")

    assert any(one.returncode == 0 for one in done)
    assert all(one.returncode == 0 or busy(one) for one in done), [one.stderr for one in done]
    assert pair.state() == "running"
    pair.mend()


def test_up_and_stop_leave_a_machine_that_is_one_or_the_other(pair: Pair) -> None:
    pair.one(f"stop {NAME}")

    done = pair.at_once("up --yes", f"stop {NAME}")

    assert all(one.returncode == 0 or busy(one) for one in done), [one.stderr for one in done]
    assert pair.state() in ("running", "stopped")
    pair.mend()


def gone_or_refused(
    pair: Pair,
    removed: subprocess.CompletedProcess[str],
    other: subprocess.CompletedProcess[str],
) -> None:
    """The whole machine went, or it was refused because the other command had it, and did it."""
    if removed.returncode == 0:
        assert pair.state() == "gone"
        assert not Machines(pair.home).folder(NAME).exists()
    else:
        assert busy(removed), removed.stderr
        assert other.returncode == 0, other.stderr


def test_a_snapshot_while_the_machine_is_removed_is_taken_or_refused(pair: Pair) -> None:
    pair.mend()

    snapshot, removed = pair.at_once(f"snapshot {NAME} --yes", f"rm {NAME} --yes")

    gone_or_refused(pair, removed, snapshot)
    pair.mend()


def test_a_start_while_the_machine_is_removed_leaves_all_of_it_or_nothing(pair: Pair) -> None:
    pair.mend()
    pair.one(f"stop {NAME}")

    start, removed = pair.at_once(f"start {NAME}", f"rm {NAME} --yes")

    gone_or_refused(pair, removed, start)
    pair.mend()


def test_gc_takes_nothing_from_a_build(pair: Pair) -> None:
    built, collected = pair.at_once("build --yes", "gc --yes")

    assert built.returncode == 0, built.stderr
    assert collected.returncode == 0 or "in use" in collected.stderr, collected.stderr
    pair.mend()
