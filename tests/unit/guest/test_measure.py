"""A command runs as it is, and what it took is told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dsvm.guest.measure import measure
from dsvm.guest.system import GuestError

MIB = 1 << 20
HOLDS = "b = bytearray(80 << 20); b[::4096] = b'x' * len(b[::4096])"
FAMILY = f"""
import subprocess, sys
child = [sys.executable, "-c", "import time; {HOLDS}; print('held', flush=True); time.sleep(1)"]
both = [subprocess.Popen(child, stdout=subprocess.PIPE) for _ in range(2)]
for one in both:
    one.stdout.readline()
for one in both:
    one.communicate()
"""


def measured(folder: Path, program: str) -> tuple[int, dict[str, Any]]:
    """As the machine runs it: to the kernel a process begins as large as the one it is started
    from, so that has to be small."""
    report = folder / "report"
    words = [sys.executable, "-m", "dsvm.guest", "measure", str(report)]
    done = subprocess.run([*words, sys.executable, "-c", program], check=False)
    return done.returncode, json.loads(report.read_text())


def test_the_peak_of_one_process_is_told_though_it_lasts_a_moment(tmp_path: Path) -> None:
    status, taken = measured(tmp_path, HOLDS)

    assert status == taken["status"] == 0
    assert 80 * MIB < taken["peak"] < 140 * MIB
    assert taken["seconds"] > 0


def test_processes_that_live_at_once_are_added(tmp_path: Path) -> None:
    _, taken = measured(tmp_path, FAMILY)

    assert taken["processes"] == 3
    assert 160 * MIB < taken["peak"] < 260 * MIB


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("import sys; sys.exit(7)", 7),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137),
    ],
)
def test_the_exit_status_is_the_commands(tmp_path: Path, program: str, status: int) -> None:
    found, taken = measured(tmp_path, program)

    assert found == taken["status"] == status


def test_a_command_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(GuestError, match="nosuch: No such file or directory"):
        measure(["nosuch"], tmp_path / "report")

    assert not (tmp_path / "report").exists()
