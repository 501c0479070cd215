"""Commands that are killed, at any moment: the next run finishes, and nothing stays behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from dsvm.build.model import Image, Layer
from dsvm.home import Home
from dsvm.machines.machine import Machine
from dsvm.store import Store
from tests.system.fault_support import SEED, Lab, abandoned, kill_tree, lab
from tests.system.spare import family

# By --long 156 moments of the nine commands, and each time the helpers that are killed alone.
MOMENTS, LONG_MOMENTS, RESIZES = 1, 7, 100
ALONE_MOMENTS = 2
MISSES = 5
CHECK_FAILED = 3
COMMANDS = ("lock", "build", "up", "stop", "start", "snapshot", "pack", "resize", "rm")
KEEPS = ("snapshot", "pack", "resize")  # each leaves another disk in the chain
KEPT = "what a person has written"


@pytest.fixture(scope="module")
def harmed(home: Home, small: Machine) -> Iterator[Lab]:
    """A home whose commands are killed; `small` has built what is in it."""
    with lab(home, "harmed") as one:
        yield one
        removed(one)
        assert one.left() == []


@pytest.fixture
def moments(request: pytest.FixtureRequest, command: str) -> int:
    if not request.config.getoption("--long"):
        return MOMENTS
    return RESIZES if command == "resize" else LONG_MOMENTS


@pytest.fixture(scope="module")
def alone_moments(request: pytest.FixtureRequest) -> int:
    return ALONE_MOMENTS if request.config.getoption("--long") else MOMENTS


def ready(harmed: Lab, command: str, count: int) -> None:
    """A state in which the command has something to do."""
    if command == "lock":
        (harmed.folder / "dsvm.lock").unlink(missing_ok=True)
    elif command == "build":
        forget(harmed, "disk")
    elif command == "up" and makes_one(count):
        removed(harmed)
    elif command in ("up", "start"):
        made(harmed)
        harmed.done("stop")
    else:
        if command in KEEPS and count == 0:
            removed(harmed)
        made(harmed)


def makes_one(count: int) -> bool:
    """Every other `up` makes the machine, the rest start one."""
    return count % 2 == 0


def typed(harmed: Lab, command: str) -> tuple[str, ...]:
    if command == "resize":
        other = "auto" if '"cpu"' in (harmed.folder / "dsvm.toml").read_text() else "cpu"
        return ("resize", "--accelerator", other, "--yes")
    return ("pack", harmed.name, "packed.dsvm") if command == "pack" else (command,)


def forget(harmed: Lab, kind: str) -> None:
    """As if layers of this kind, and images, had never been built."""
    store = Store(harmed.home.store)
    for key in store.records("layers"):
        layer = store.layer(key, Layer)
        if layer and layer.kind == kind:
            (store.root / "layers" / f"{key}.json").unlink()
            store.discard(layer.digest)
    for image in store.records("images"):
        (store.root / "images" / f"{image}.json").unlink()


def made(harmed: Lab) -> None:
    """The machine runs and has a person's file in it."""
    harmed.done("up")
    harmed.done("run", harmed.name, "--", "sh", "-c", f"echo {KEPT} >kept; sync kept")


def removed(harmed: Lab) -> None:
    """The machine is gone; it may have been so before."""
    said = harmed("rm").stderr
    assert said.startswith(
        (f"{harmed.name} is removed", f"error: there is no machine `{harmed.name}`")
    )
    assert not (harmed.home.machines / harmed.name).exists()


def finished(harmed: Lab, command: str) -> None:
    """The same command again does what it should have done; of a resize, `up`."""
    if command == "rm":
        removed(harmed)
    elif command == "resize":
        harmed.done("up")  # on the way it was; typed again, another size would be meant
    else:
        harmed.done(*typed(harmed, command))
    if command in ("up", "start"):
        assert harmed.done("run", harmed.name, "--", "true") == ""


def file_is_kept(harmed: Lab) -> None:
    harmed.done("up")
    assert harmed.done("run", harmed.name, "--", "cat", "kept") == f"{KEPT}\n"


def put_away(harmed: Lab, command: str) -> None:
    """No machine runs any more."""
    if command in ("up", "stop", "start", *KEEPS):
        harmed.done("stop")


def layers_are_whole(harmed: Lab) -> None:
    """Every record in the store speaks of files that are what their digests say."""
    store = Store(harmed.home.store)
    layers = [store.layer(key, Layer) for key in store.records("layers")]
    images = [store.image(key, Image) for key in store.records("images")]
    for digest in {one.digest for one in (*layers, *images) if one}:
        store.verify(digest)


@dataclass
class Killer:
    """Kills one command, once in each of equal parts of its time, as many as there are moments.

    `takes_s` is what the quickest run took. One that ends before its moment is begun again.
    """

    harmed: Lab
    command: str
    moments: int
    takes_s: dict[bool, float] = field(default_factory=dict)
    had_file: bool = False

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{SEED} {self.command}")

    def kill(self, count: int) -> None:
        """Within the part of this number, while the command is at work."""
        part = (count + self.chance.random()) / self.moments
        for _ in range(MISSES):
            takes_s = self._takes_s(count)
            process = self._begun(count)
            began = time.monotonic()
            with suppress(subprocess.TimeoutExpired):
                process.wait(part * takes_s)
            if process.poll() is None:
                print(
                    f"seed {SEED}: `dsvm {self.command}` is killed at {part:.0%} of {takes_s:.2f} s"
                )
                kill_tree(process)
                return
            process.communicate()
            self.takes_s[self._kind(count)] = min(takes_s, time.monotonic() - began)
        raise AssertionError(f"`dsvm {self.command}` always ended before it could be killed")

    def _takes_s(self, count: int) -> float:
        kind = self._kind(count)
        if kind not in self.takes_s:
            process = self._begun(count)
            began = time.monotonic()
            _, said = process.communicate(timeout=600)
            assert process.returncode == 0, said
            self.takes_s[kind] = time.monotonic() - began
        return self.takes_s[kind]

    def _kind(self, count: int) -> bool:
        """`up` makes a machine or starts one, which takes another time."""
        return self.command == "up" and makes_one(count)

    def _begun(self, count: int) -> subprocess.Popen[str]:
        ready(self.harmed, self.command, count)
        machine = self.harmed.home.machines / self.harmed.name
        self.had_file = self.command != "rm" and machine.exists()
        return self.harmed.start(*typed(self.harmed, self.command))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_killed_command_is_finished_by_the_next(harmed: Lab, moments: int, command: str) -> None:
    killer = Killer(harmed, command, moments)
    for count in range(moments):
        killer.kill(count)

        left = abandoned()
        if command == "build":
            layers_are_whole(harmed)
        finished(harmed, command)
        if command == "build":
            layers_are_whole(harmed)
            assert not left & abandoned()
        if killer.had_file:
            file_is_kept(harmed)
        put_away(harmed, command)
        assert harmed.left() == []


def begun(harmed: Lab, command: str, count: int, chance: random.Random) -> subprocess.Popen[str]:
    """The command, at work for a while."""
    ready(harmed, command, count)
    process = harmed.start(command)
    time.sleep(chance.uniform(0.5, 3))
    return process


ALONE = [pytest.param("lock", marks=pytest.mark.long), "build", "up", "start"]


@pytest.mark.parametrize("command", ALONE)
def test_a_command_whose_helper_is_killed_ends_and_leaves_nothing(
    harmed: Lab, alone_moments: int, command: str
) -> None:
    chance = random.Random(f"{SEED} helper of {command}")
    for count in range(alone_moments):
        process = begun(harmed, command, count, chance)
        helpers = sorted(family(process.pid) - {process.pid})
        if helpers and process.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(helpers), signal.SIGKILL)
        _, said = process.communicate(timeout=300)

        assert process.returncode in (0, 1, CHECK_FAILED), said
        assert "Traceback" not in said
        assert process.returncode != 1 or "error:" in said
        finished(harmed, command)
        put_away(harmed, command)
        assert harmed.left() == []


@pytest.mark.parametrize("command", ALONE)
def test_helpers_do_not_outlive_a_command_that_is_killed_alone(
    harmed: Lab, alone_moments: int, command: str
) -> None:
    chance = random.Random(f"{SEED} {command} alone")
    for count in range(alone_moments):
        process = begun(harmed, command, count, chance)
        process.kill()
        process.communicate(timeout=20)

        finished(harmed, command)
        put_away(harmed, command)
        assert harmed.left() == []
