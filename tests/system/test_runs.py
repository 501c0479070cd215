"""A run that its machine keeps: it outlives its client, a restart, a move; its results are those of
one that nobody has interrupted.

The tests follow one another on one machine.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import dsvm as package
from dsvm.home import Home
from dsvm.machines.frozen import records
from tests.system.project import Scripted
from tests.system.typed import Dsvm

NAME = "runs"
SAMPLES = Path(package.__file__).parent / "tools/pytorch/samples"
PYTHON = "/opt/dsvm/envs/pytorch/bin/python"
WAIT_S = 120.0
STEPS = 300
CLOSE = 1e-4  # another number of threads adds in another order
DEFINITION = f"""\
name = "{NAME}"
profile = ""
tools = ["pytorch"]
[size]
cpus = 1
memory = "2G"
accelerator = "auto"
"""


class Keeps(Scripted):
    def begin(self, *command: str) -> int:
        """Its number."""
        self.typed("run", "--resumable", "--detach", NAME, "--", *command)
        return int(self.runs()[-1]["number"])

    def runs(self) -> list[dict[str, Any]]:
        return list(json.loads(self.typed("runs", "--json")))

    def one(self, number: int) -> dict[str, Any]:
        (found,) = (run for run in self.runs() if run["number"] == number)
        return found

    def log(self, number: int) -> str:
        return self.inside(f"cat {self.one(number)['log']}")

    def losses(self, folder: str) -> list[float]:
        rows = self.inside(f"cat {folder}/losses.csv").splitlines()
        return [float(row.partition(",")[2]) for row in rows]


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.5)


@pytest.fixture(scope="module")
def project(home: Home, dsvm: Dsvm) -> Iterator[Keeps]:
    with Keeps.made(home, dsvm, NAME, DEFINITION) as found:
        found.typed("cp", str(SAMPLES), f"{NAME}:digits")
        yield found


def test_streams_and_exit_status_are_those_of_the_command(project: Keeps) -> None:
    done = project.dsvm(
        *("run", "--resumable", "--", "bash", "-c", 'echo "$0 $1"; echo err >&2; exit 7'),
        *("a  b", "--"),
        cwd=project.folder,
    )

    assert done.returncode == 7
    assert done.stdout == "a  b --\nerr\n"
    assert "run 1 of runs" in done.stderr
    (told,) = project.runs()
    assert (told["state"], told["status"], told["starts"]) == ("ended", 7, 1)


def test_it_is_a_login_s_command(project: Keeps) -> None:
    asked = "pwd; id -un; command -v python; echo $HOME $LANG"

    kept = project.dsvm("run", "--resumable", "--", "sh", "-c", asked, cwd=project.folder)

    assert kept.stdout == project.typed("run", "--", "sh", "-c", asked)


def test_a_command_that_is_not_there_is_told_and_over(project: Keeps) -> None:
    done = project.dsvm("run", "--resumable", "--", "nosuch", cwd=project.folder)

    assert done.returncode == 127
    assert "No such file or directory: 'nosuch'" in done.stdout


def test_who_looks_on_may_leave(project: Keeps) -> None:
    words = ["run", "--resumable", "--", "sh", "-c", "echo here; sleep 3; echo there"]
    with project.dsvm.begun(*words, cwd=project.folder) as client:
        assert client.stdout
        assert client.stdout.readline() == "here\n"
        client.send_signal(signal.SIGINT)
        _, said = client.communicate(timeout=30)
    number = project.runs()[-1]["number"]

    assert client.returncode == 130
    assert f"run {number} goes on" in said
    assert project.typed("runs", "--follow", str(number)) == "here\nthere\n"


def test_one_that_is_stopped_stays_so(project: Keeps) -> None:
    number = project.begin("sleep", "600")
    project.typed("runs", "--stop", str(number))
    assert project.one(number)["state"] == "stopped"
    assert project.dsvm("runs", "--follow", str(number), cwd=project.folder).returncode == 130
    project.inside("! pgrep -x sleep")

    project.typed("stop")
    project.typed("start")

    assert project.one(number)["state"] == "stopped"
    project.inside("! pgrep -x sleep")
    project.typed("verify")
    unknown = project.dsvm("runs", "--stop", "99", cwd=project.folder)
    assert "has no run 99" in unknown.stderr


def test_a_keeper_that_is_killed_is_started_again(project: Keeps) -> None:
    number = project.begin("sleep", "601")
    until(lambda: project.one(number)["starts"] == 1)

    project.inside("sudo pkill -9 -f 'runs [k]eep'")

    until(lambda: project.one(number)["starts"] == 2)
    project.inside("pgrep -cx sleep | grep -qx 1")
    project.typed("runs", "--stop", str(number))


def test_a_machine_that_is_cut_off_goes_on_with_it(project: Keeps) -> None:
    number = project.begin("sh", "-c", 'echo "start $DSVM_RUN_STARTS"; exec sleep 602')
    until(lambda: "start 1" in project.log(number))
    project.inside("sudo sync")

    project.dsvm("run", NAME, "--", "sudo", "systemctl", "--force", "--force", "poweroff")
    project.typed("start")

    until(lambda: "start 2" in project.log(number))
    assert project.one(number)["state"] == "running"
    project.typed("runs", "--stop", str(number))


def test_a_training_that_a_resize_interrupts_has_the_same_losses(project: Keeps) -> None:
    project.inside(f"{PYTHON} digits/resumable.py --steps {STEPS} --folder alone")
    options = ["--steps", str(STEPS), "--folder", "moved", "--pause", "0.1", "--every", "1"]
    number = project.begin(PYTHON, "digits/resumable.py", *options)
    until(lambda: project.inside("test -e moved/losses.csv && echo yes || true") == "yes\n")
    plan = json.loads(project.typed("resize", "--accelerator", "cpu", "--plan", "--json"))
    assert plan["restart"] == ["the accelerator changed"]
    assert plan["ends"] == []
    (resumed,) = plan["resumes"]
    assert resumed.startswith(f"run {number} `{PYTHON} digits/resumable.py")

    with project.dsvm.begun("runs", "--follow", str(number), cwd=project.folder) as client:
        # Without --yes: nothing is lost, so nothing is asked.
        done = project.dsvm("resize", "--accelerator", "cpu", cwd=project.folder, timeout_s=900)
        assert done.returncode == 0, done.stderr
        shown, _ = client.communicate(timeout=300)

    assert client.returncode == 0
    assert shown == project.log(number)
    assert "asked to end after step" in shown
    assert "start 2, after a restart" in shown
    assert "goes on after step" in shown
    assert f"trained {STEPS} steps" in shown
    assert project.one(number)["starts"] == 2
    alone, moved = project.losses("alone"), project.losses("moved")
    assert len(alone) == len(moved) == STEPS
    assert max(abs(a - b) for a, b in zip(alone, moved, strict=True)) < CLOSE
    assert sum(alone[-50:]) < sum(alone[:50]) / 2


def test_a_run_that_a_restore_undoes_is_no_longer_followed(project: Keeps) -> None:
    project.typed("snapshot", NAME, "--note", "before it")
    snapshot = records(project.machine.folder)[-1].id
    number = project.begin("sleep", "600")

    with project.dsvm.begun("runs", "--follow", str(number), cwd=project.folder) as client:
        project.typed("restore", NAME, snapshot, "--yes")
        _, said = client.communicate(timeout=WAIT_S)

    assert client.returncode == 1
    assert f"machine `{NAME}` has no run {number}" in said
