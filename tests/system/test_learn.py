"""Lessons on a machine: every user has them, as script and as notebook; their results hold.

The tests follow one another on the machine with the profile `starter`.
"""

from __future__ import annotations

import json
import signal
import time

import pytest

from dsvm.home import Home
from dsvm.learn import load_lessons
from dsvm.learn.shelf import Shelf
from dsvm.machines.machine import Machine
from tests.system.project import Project
from tests.system.typed import Dsvm

LESSON = "features"
JUPYTER = "/opt/dsvm/envs/jupyter/bin/jupyter"
NOTEBOOK = f"{JUPYTER} execute --output /tmp/lesson {{file}} && cat /tmp/lesson.ipynb"


def inside(machine: Machine, script: str) -> str:
    return machine.ssh.run(["bash", "-ec", script], timeout_s=300).stdout


def learn(dsvm: Dsvm, machine: Machine, *words: str) -> str:
    done = dsvm("learn", *words, "--machine", machine.name, timeout_s=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_login_has_a_copy_beside_the_original_that_nobody_changes(starter: Machine) -> None:
    names = {"lesson.py", f"{LESSON}.ipynb", f"{LESSON}.ko.ipynb"}
    for place in ("/usr/share/dsvm/learn", "~/learn"):
        assert names <= set(inside(starter, f"ls {place}/{LESSON}").split())
    assert inside(starter, f"stat -c %U ~/learn/{LESSON}/lesson.py") == "ds\n"
    inside(starter, "! touch /usr/share/dsvm/learn/mine 2>/dev/null")


def test_a_lesson_that_needs_other_tools_says_which(dsvm: Dsvm, starter: Machine) -> None:
    told = {one["name"]: one for one in json.loads(learn(dsvm, starter, "--json"))}
    assert told[LESSON]["missing"] == []
    assert "postgresql" in told["spam"]["missing"]

    refused = dsvm("learn", "--run", "spam", "--machine", starter.name)

    assert refused.returncode == 1
    assert "`dsvm add r-scale postgresql odbc jdbc`" in refused.stderr


def test_a_lesson_runs_and_its_result_is_kept(dsvm: Dsvm, starter: Machine) -> None:
    (ran,) = json.loads(learn(dsvm, starter, "--run", LESSON, "--json"))

    assert ran["outcome"] == "passed"
    assert ran["results"]["accuracy, 1 layer"] > ran["results"]["accuracy, by hand"]
    told = {one["name"]: one for one in json.loads(learn(dsvm, starter, "--json"))}
    assert told[LESSON]["results"] == ran["results"]
    assert told[LESSON]["seconds"] == ran["seconds"]
    page = Shelf.of(starter).page.read_text()
    assert page.count("data:image/png;base64,") == 3
    assert "손으로 만든 특징" in page
    assert inside(starter, "ls /var/tmp | grep dsvm-verify || true") == ""


def test_a_result_that_does_not_hold_fails(
    dsvm: Dsvm, starter: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment is broken on purpose: its network learns nothing any more."""
    network = "$(echo /opt/dsvm/envs/base/lib/python3*/site-packages/sklearn/neural_network)"
    base = f"{network}/_base.py"
    inside(starter, f"sed -i 's/np.maximum(X, 0, out=X)/X.fill(0)/' {base}")
    try:
        failed = dsvm("learn", "--run", LESSON, "--machine", starter.name, timeout_s=600)
    finally:
        inside(starter, "sudo dsvm-guest env reset base")

    assert failed.returncode == 1
    assert "FAILED  features: `" in failed.stdout


@pytest.mark.parametrize("end", ["", ".ko"])
def test_its_notebooks_run_to_their_end(starter: Machine, end: str) -> None:
    told = json.loads(
        inside(starter, NOTEBOOK.format(file=f"~/learn/{LESSON}/{LESSON}{end}.ipynb"))
    )
    outputs = [out for cell in told["cells"] for out in cell.get("outputs", ())]

    assert not [out for out in outputs if out["output_type"] == "error"]
    assert len([out for out in outputs if "image/png" in out.get("data", {})]) == 3


def test_a_notebook_is_opened_signed_in(dsvm: Dsvm, starter: Machine) -> None:
    url = learn(dsvm, starter, LESSON, "--ko").strip()

    assert f"/lab/tree/learn/{LESSON}/{LESSON}.ko.ipynb?token=" in url


def test_ctrl_c_ends_a_lesson_in_the_machine_too(dsvm: Dsvm, starter: Machine) -> None:
    def runs() -> bool:
        return starter.ssh.run(["pgrep", "-f", "lesson[.]py"], check=False).returncode == 0

    with dsvm.begun("learn", "--run", LESSON, "--machine", starter.name) as client:
        deadline = time.monotonic() + 60
        while not runs():
            assert time.monotonic() < deadline
            time.sleep(0.2)
        client.send_signal(signal.SIGINT)
        client.communicate(timeout=30)

    assert client.returncode == 130
    assert not runs()
    left = starter.ssh.run(["sh", "-c", "ls -d /var/tmp/dsvm-verify.* || true"]).stdout
    assert left == ""


@pytest.mark.long
def test_every_lesson_holds(home: Home, dsvm: Dsvm) -> None:
    tools = sorted({tool for one in load_lessons().values() for tool in one.tools})
    definition = f'name = "lessons"\nprofile = ""\ntools = {json.dumps(tools)}\n'
    definition += '[size]\nmemory = "4G"\n'
    models = sorted({model for one in load_lessons().values() for model in one.models})
    definition += "".join(f"[models.{model}]\n" for model in models)
    with Project.made(home, dsvm, "lessons", definition) as project:
        found = json.loads(project.typed("learn", "--run", "all", "--json"))

    assert {one["name"]: one["outcome"] for one in found} == dict.fromkeys(load_lessons(), "passed")
