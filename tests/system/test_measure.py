"""A run of a machine that is measured: what it took, beside what was advised in its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from dsvm.advise.history import Advice, keep_advice
from dsvm.home import Home
from tests.system.project import Project
from tests.system.typed import Dsvm

MIB = 1 << 20
NAME = "measured"
DEFINITION = f'name = "{NAME}"\nprofile = ""\ntools = ["git"]\n[size]\ncpus = 1\nmemory = "1G"\n'
HOLDS = "b = bytearray(200 << 20); b[::4096] = b'x' * len(b[::4096]); print(input())"


@pytest.fixture(scope="module")
def project(home: Home, dsvm: Dsvm) -> Iterator[Project]:
    with Project.made(home, dsvm, NAME, DEFINITION) as found:
        yield found


def test_what_a_run_took_stands_beside_what_was_advised(project: Project) -> None:
    advice = Advice(
        at=datetime.now(UTC),
        job={"device": "cpu"},
        expected=210 * MIB,
        upper=300 * MIB,
        step_seconds=0.1,
    )
    keep_advice(project.home, project.folder, advice)

    done = project.dsvm(
        *("run", "--measure", "--steps", "10", "--", "python3", "-c", HOLDS),
        cwd=project.folder,
        stdin="heard\n",
    )

    assert (done.returncode, done.stdout) == (0, "heard\n")
    assert "of 10 steps took" in done.stderr
    assert "advised was memory of 210.0 MiB, at most 300.0 MiB" in done.stderr
    told = json.loads(project.typed("advise", "--history", "--json"))[-1]
    assert told["command"].startswith("python3 -c")
    assert 200 * MIB < told["taken"]["peak"] < 230 * MIB
    assert abs(told["error"]) < 0.1
    assert told["taken"]["gpu_peak"] is None


def test_a_command_that_fails_or_is_not_there_says_so(project: Project) -> None:
    failed = project.dsvm(*("run", "--measure", "--", "sh", "-c", "exit 5"), cwd=project.folder)
    missing = project.dsvm("run", "--measure", "--", "nosuch", cwd=project.folder)

    assert failed.returncode == 5
    assert missing.returncode == 1
    assert "nosuch: No such file or directory" in missing.stderr
    assert project.typed("run", "--", "sh", "-c", "ls /tmp | grep -c dsvm-measure || true") == "0\n"
