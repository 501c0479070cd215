"""Runs that go on after a restart: what is kept of them, and who ends one."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dsvm.guest.runs import Runs, keep
from dsvm.guest.system import GuestError

KEEP = "import sys; from pathlib import Path; from dsvm.guest.runs import *; "
KEEP += "keep(Runs(Path(sys.argv[1])), int(sys.argv[2]))"
WAIT_S = 60.0
# Says that it listens, and ends with 0 once it is asked to.
GENTLE = "trap 'echo kept; exit 0' TERM; echo ready; while :; do sleep 0.05; done"


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def add(runs: Runs, *command: str) -> int:
    return runs.add(command, runs.root).number


@contextmanager
def kept(runs: Runs, number: int) -> Iterator[subprocess.Popen[bytes]]:
    """Its keeper, once the command has written something."""
    with subprocess.Popen([sys.executable, "-c", KEEP, str(runs.root), str(number)]) as keeper:
        deadline = time.monotonic() + WAIT_S
        while not (runs.log(number).exists() and runs.log(number).read_bytes()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield keeper


def test_numbers_count_up_and_are_kept(runs: Runs) -> None:
    assert [add(runs, "true"), add(runs, "echo", "a b", "--")] == [1, 2]
    assert runs.get(2).command == ("echo", "a b", "--")
    assert runs.numbers() == [1, 2]
    assert not runs.over(1)


def test_one_that_is_half_written_is_none(runs: Runs) -> None:
    add(runs, "true")
    (runs.place(2)).mkdir()

    assert runs.numbers() == [1]
    assert add(runs, "true") == 3


def test_an_unknown_one_is_told_with_those_there_are(runs: Runs) -> None:
    add(runs, "true")
    with pytest.raises(GuestError, match=r"there is no run 7; there are: 1"):
        runs.stop(7)


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 128 + 9)]
)
def test_a_command_that_ends_by_itself_is_over(runs: Runs, script: str, status: int) -> None:
    number = add(runs, "sh", "-c", f"echo out; echo err >&2; {script}")

    keep(runs, number)

    assert runs.status(number) == status
    assert runs.over(number)
    assert runs.log(number).read_text() == "out\nerr\n"


@pytest.mark.parametrize(("command", "status"), [("/nowhere/x", 127), ("/etc/passwd", 126)])
def test_a_command_that_cannot_be_started_is_over(runs: Runs, command: str, status: int) -> None:
    number = add(runs, command)

    keep(runs, number)

    assert runs.status(number) == status
    assert command in runs.log(number).read_text()


def test_one_that_the_machine_ends_is_not_over_and_is_started_again(runs: Runs) -> None:
    number = add(runs, "sh", "-c", f'echo "start $DSVM_RUN_STARTS"; {GENTLE}')

    for _ in range(2):
        with kept(runs, number) as keeper:
            deadline = time.monotonic() + WAIT_S
            while not runs.log(number).read_text().endswith("ready\n"):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            keeper.send_signal(signal.SIGTERM)
            assert keeper.wait(WAIT_S) == 0
        assert not runs.over(number)

    said = [line for line in runs.log(number).read_text().splitlines() if line[:5] != "dsvm:"]
    assert said == ["start 1", "ready", "kept", "start 2", "ready", "kept"]
    assert "start 2, after a restart" in runs.log(number).read_text()


def test_one_whose_keeper_is_killed_is_not_over(runs: Runs) -> None:
    number = add(runs, "sh", "-c", "echo $$; exec sleep 60")
    with kept(runs, number) as keeper:
        keeper.kill()
    subprocess.run(["kill", runs.log(number).read_text().strip()], check=True)

    assert not runs.over(number)
    assert runs.get(number).starts == 1


def test_its_log_is_followed_from_any_byte_to_its_end(runs: Runs) -> None:
    number = add(runs, "echo", "one two")
    keep(runs, number)
    script = KEEP.partition("keep(")[0]
    script += "follow(Runs(Path(sys.argv[1])), int(sys.argv[2]), *map(int, sys.argv[3:]))"

    def followed(*more: str) -> str:
        words = [sys.executable, "-c", script, str(runs.root), str(number), *more]
        return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout

    assert followed() == "one two\n"
    assert followed("4") == "two\n"
