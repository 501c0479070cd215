"""Another size for a machine, planned, proven, and put back if it fails; the disk is the same.

The tests follow one another on one machine; each says what it begins with.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dsvm.guest.gpus import gpus
from dsvm.home import Home
from dsvm.machines.frozen import AUTOMATIC, records
from tests.system.cdi_file import offered
from tests.system.project import Scripted
from tests.system.typed import Dsvm

NAME = "resized"
DEFINITION = f"""\
# What I know of this machine.
name = "{NAME}"
profile = ""
tools = ["git", "sqlite"]

[size]
cpus = 1
memory = "1G"   # enough for now

[environments.mine]
requirements = ["tabulate==0.9.0"]
"""
PUT = """
echo kept > ~/file
/opt/dsvm/envs/mine/bin/pip install -q --no-input --no-deps idna==3.10
sqlite3 ~/rows.db 'create table t (x); insert into t values (42)'
"""
GOT = """
cat ~/file
/opt/dsvm/envs/mine/bin/python -c 'import idna; print(idna.__version__)'
sqlite3 ~/rows.db 'select x from t'
cat /etc/ssh/ssh_host_ed25519_key.pub
"""


class Resized(Scripted):
    def plan(self, *words: str) -> dict[str, Any]:
        return dict(json.loads(self.typed("resize", *words, "--plan", "--json")))

    def resize(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.dsvm("resize", *words, cwd=self.folder, timeout_s=900)

    def sizes(self) -> list[dict[str, Any]]:
        return list(json.loads(self.typed("sizes", "--json"))["sizes"])

    def cpus(self) -> int:
        return int(self.inside("nproc"))


@pytest.fixture(scope="module")
def project(home: Home, dsvm: Dsvm) -> Iterator[Resized]:
    with Resized.made(home, dsvm, NAME, DEFINITION) as found:
        found.inside(PUT)
        yield found


@pytest.fixture(scope="module")
def had(project: Resized) -> str:
    """What a person has on the disk."""
    return project.inside(GOT)


@pytest.fixture
def thing() -> Iterator[str]:
    """A harmless device of the host, named by a maker's file."""
    node = {"path": "/dev/resized-thing", "hostPath": "/dev/zero"}
    kind = "dsvm.example/resized"
    with offered("dsvm-resized.json", kind, {"deviceNodes": [node]}):
        yield f"{kind}=one"


def test_a_plan_tells_all_and_touches_nothing(project: Resized, had: str) -> None:
    before = project.machine.record, project.file.read_text(), project.boot()

    plan = project.plan("--cpus", "2", "--memory", "2G")

    assert plan["changes"] == ["CPUs 1 → 2", "memory 1G → 2G"]
    assert plan["restart"] == []  # processors and memory change while it runs
    assert plan["proves"] == ["machine"]
    assert plan["seconds"] > 0
    assert before == (project.machine.record, project.file.read_text(), project.boot())


def test_a_running_machine_gets_another_size_and_runs_on(project: Resized, had: str) -> None:
    boot = project.boot()

    done = project.resize("--cpus", "2", "--memory", "2G")

    assert done.returncode == 0, done.stderr
    assert project.boot() == boot
    assert project.cpus() == 2
    assert project.inside(GOT) == had
    assert project.file.read_text() == DEFINITION.replace("cpus = 1", "cpus = 2").replace(
        '"1G"', '"2G"'
    )
    assert json.loads(project.typed("up", "--json"))["unchanged"]


def test_a_size_has_a_name(project: Resized, had: str) -> None:
    text = project.file.read_text()
    project.file.write_text(f'{text}\n[sizes.tiny]\ncpus = 1\nmemory = "1G"\n')

    plan = project.plan("--size", "tiny")

    assert plan["changes"] == ["CPUs 2 → 1", "memory 2G → 1G", "accelerator auto → cpu"]
    both = project.resize("--size", "tiny", "--cpus", "2")
    assert "--size says CPUs, memory and accelerator" in both.stderr
    huge = next(one for one in project.sizes() if one["cpus"] > (os.cpu_count() or 1))
    assert "the host has not that much" in project.resize("--size", huge["name"]).stderr
    project.file.write_text(text)


def test_what_cannot_be_is_refused_before_anything_changes(project: Resized) -> None:
    before = project.machine.record, project.file.read_text(), len(records(project.machine.folder))
    # What a machine sees of its memory is counted anew every two seconds.
    held = "import time; b = b'x' * (700 << 20); time.sleep(3); print(1, flush=True); input()"
    with subprocess.Popen(
        project.machine.ssh.argv(["python3", "-c", held]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as program:
        assert program.stdout
        assert program.stdout.readline() == b"1\n"
        hungry = project.resize("--memory", "512M")
        program.communicate(b"\n")

    assert "holds more memory than it shall have" in hungry.stderr
    assert "the host has not that much" in project.resize("--cpus", "4096").stderr
    assert "cannot shrink" in project.resize("--disk", "10G").stderr
    assert "engine" in project.resize("--engine", "qemo").stderr
    assert "no new size is named" in project.resize().stderr
    unknown = project.resize("--device", "dsvm.example/nothing=1").stderr
    assert "machine `resized` cannot be given dsvm.example/nothing=1" in unknown
    if not any(gpu.vendor == "NVIDIA" for gpu in gpus(Path("/"))):
        assert "machine `resized` cannot be given a GPU" in project.resize("--gpu").stderr
    assert before == (
        project.machine.record,
        project.file.read_text(),
        len(records(project.machine.folder)),
    )


def test_other_changes_of_the_definition_come_first(project: Resized) -> None:
    text = project.file.read_text()
    project.file.write_text(text.replace('"sqlite"]', '"sqlite", "fio"]'))

    refused = project.resize("--cpus", "1")

    assert "dsvm.toml has changes that machine `resized` has not" in refused.stderr
    assert "`dsvm up`" in refused.stderr
    project.file.write_text(text)


def test_work_that_a_restart_ends_is_asked_for(project: Resized) -> None:
    with subprocess.Popen(project.machine.ssh.argv(["sleep", "600"])):
        refused = project.resize("--accelerator", "cpu")
        project.inside("pkill sleep")

    assert "`sleep 600` of ds" in refused.stderr
    assert "add --yes" in refused.stderr
    assert project.machine.record.size.accelerator == "auto"
    assert "accelerator" not in project.file.read_text()


def test_a_move_that_fails_its_proof_is_taken_back_by_itself(project: Resized, had: str) -> None:
    text = project.file.read_text()
    project.inside("sudo mv /usr/bin/git /usr/bin/git.away; echo meanwhile > ~/meanwhile")

    failed = project.resize("--accelerator", "cpu")

    assert failed.returncode == 1
    assert "the resize of machine `resized` failed; it runs as it did before" in failed.stderr
    assert "git:" in failed.stderr
    assert project.file.read_text() == text
    assert project.machine.record.size.accelerator == "auto"
    assert project.inside("cat ~/meanwhile") == "meanwhile\n"
    assert project.inside(GOT) == had
    project.inside("sudo mv /usr/bin/git.away /usr/bin/git")
    project.typed("verify")


def test_another_accelerator_restarts_it_and_proves_all_tools(project: Resized, had: str) -> None:
    boot = project.boot()

    done = project.resize("--accelerator", "cpu")

    assert done.returncode == 0, done.stderr
    assert project.boot() != boot
    assert project.inside(GOT) == had
    newest = sorted(project.machine.reports.glob("[0-9]*.json"))[-1]
    checks = json.loads(newest.read_text())["checks"]
    assert {one["tool"] for one in checks} == {"git", "sqlite", "machine"}


def test_the_way_back_is_one_command(project: Resized, had: str) -> None:
    snapshot = records(project.machine.folder)[-1]
    assert snapshot.note == "before the resize"

    project.typed("restore", NAME, snapshot.id)

    assert project.machine.record.size.accelerator == "auto"
    assert "accelerator" not in project.file.read_text()
    assert json.loads(project.typed("up", "--json"))["changes"] == []
    assert project.inside(GOT) == had


def test_automatic_snapshots_do_not_pile_up(project: Resized, had: str) -> None:
    for cpus in (1, 2, 1, 2):
        project.typed("resize", "--cpus", str(cpus))
    assert len([one for one in records(project.machine.folder) if one.automatic]) > AUTOMATIC

    project.typed("stop")
    project.typed("start")

    assert len([one for one in records(project.machine.folder) if one.automatic]) == AUTOMATIC
    assert project.inside(GOT) == had


def test_a_device_of_the_host_comes_and_goes(project: Resized, had: str, thing: str) -> None:
    plan = project.plan("--device", thing)
    assert plan["changes"] == [f"devices as its accelerator says → {thing}"]
    assert plan["restart"] == ["the devices of the host changed"]

    project.typed("resize", "--device", thing)

    assert project.inside("head -c 2 /dev/resized-thing | od -An -tx1").split() == ["00", "00"]
    assert project.inside(GOT) == had
    assert f'devices = ["{thing}"]' in project.file.read_text()

    project.typed("resize", "--device", "none")

    project.inside("! test -e /dev/resized-thing")
    assert "devices = []" in project.file.read_text()
    assert project.inside(GOT) == had


def test_another_engine_and_size_at_once_and_back(project: Resized, had: str) -> None:
    plan = project.plan("--engine", "qemu", "--cpus", "1")
    assert plan["changes"] == ["CPUs 2 → 1", "engine nspawn → qemu"]
    assert plan["restart"] == ["another engine"]

    project.typed("resize", "--engine", "qemu", "--cpus", "1")

    assert project.machine.record.engine == "qemu"
    assert project.cpus() == 1
    assert project.inside(GOT) == had

    project.typed("resize", "--engine", "nspawn", "--cpus", "2")

    assert project.machine.record.engine == "nspawn"
    assert project.cpus() == 2
    assert project.inside(GOT) == had
