"""The other base, booted and proven; and its Python as an environment of the newer base."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dsvm.home import Home
from dsvm.machines.machine import Machine
from dsvm.machines.reports import last_report
from dsvm.machines.state import Machines
from tests.system.kernels import answer
from tests.system.typed import Dsvm

BOOKWORM = """
name = "bookworm"
base = "debian-12"
profile = ""
tools = ["git", "python"]
[environments.own]
python = "3.11"
requirements = ["tabulate"]
[size]
cpus = 2
memory = "2G"
"""
OLDER = """
name = "older"
profile = ""
tools = ["git"]
[environments.older]
python = "3.11"
requirements = ["tabulate"]
[size]
cpus = 1
memory = "1G"
"""
TABLE = "import sys, tabulate; print(sys.version_info[:2], tabulate.tabulate([[6 * 7]]).split()[1])"


@pytest.fixture(scope="module")
def bookworm(home: Home, dsvm: Dsvm) -> Machine:
    return brought_up(home, dsvm, "bookworm", BOOKWORM)


@pytest.fixture(scope="module")
def older(home: Home, dsvm: Dsvm) -> Machine:
    return brought_up(home, dsvm, "older", OLDER)


def brought_up(home: Home, dsvm: Dsvm, name: str, text: str) -> Machine:
    folder = home.root / "definitions" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dsvm.toml").write_text(text)
    done = dsvm("up", "--yes", cwd=folder, timeout_s=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    return Machines(home).get(name)


def inside(machine: Machine, *argv: str) -> str:
    return machine.ssh.run(argv, timeout_s=120).stdout


def test_a_debian_12_machine_runs_and_every_check_passes(bookworm: Machine) -> None:
    report = last_report(bookworm)

    assert report is not None
    assert report.summary["failed"] == 0
    checks = json.loads(Path(report.path).read_text())["checks"]
    assert {"git", "python"} <= {one["tool"] for one in checks if one["outcome"] == "passed"}
    assert "VERSION_CODENAME=bookworm" in inside(bookworm, "cat", "/etc/os-release")


def test_python_3_11_is_the_machines_own_on_debian_12(bookworm: Machine) -> None:
    target = inside(bookworm, "readlink", "-f", "/opt/dsvm/envs/own/bin/python").strip()

    assert target == "/usr/bin/python3.11"
    assert answer(bookworm, "own", TABLE) == "(3, 11) 42"


def test_python_3_11_works_as_an_environment_of_debian_13(older: Machine) -> None:
    report = last_report(older)

    assert report is not None
    assert report.summary["failed"] == 0
    assert "VERSION_CODENAME=trixie" in inside(older, "cat", "/etc/os-release")
    assert (
        inside(older, "/usr/bin/python3", "-c", "import sys; print(sys.version_info[1])") == "13\n"
    )
    assert answer(older, "older", TABLE) == "(3, 11) 42"


def test_pip_installs_into_an_environment_of_the_other_python(older: Machine) -> None:
    python = "/opt/dsvm/envs/older/bin/python"
    inside(older, python, "-m", "pip", "install", "--quiet", "--no-deps", "toolz")

    assert inside(older, python, "-c", "import toolz; print(sum(toolz.take(3, range(9))))") == "3\n"

    inside(older, python, "-m", "pip", "uninstall", "--quiet", "--yes", "toolz")
