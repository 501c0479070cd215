"""The program that runs one check inside the machine, run here as it runs there."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from dsvm.verify import inside

RUN_CHECK = Path(inside.__file__).with_name("run_check.py")


def run(tmp_path: Path, script: str, timeout_s: float = 30) -> dict[str, Any]:
    asked = {
        "command": ["/bin/sh", "-c", script],
        "folder": str(tmp_path / "work" / "git-0"),
        "env": {"DSVM_SAMPLES": "/samples"},
        "timeout_s": timeout_s,
    }
    argv = [sys.executable, "-I", str(RUN_CHECK), json.dumps(asked)]
    told: dict[str, Any] = json.loads(subprocess.run(argv, capture_output=True).stdout)
    return told


def ends(pid: int, patience_s: float = 10) -> bool:
    """A killed process is gone a moment later, when the kernel and its new parent come to it."""
    late = time.monotonic() + patience_s
    while runs(pid) and time.monotonic() < late:
        time.sleep(0.01)
    return not runs(pid)


def runs(pid: int) -> bool:
    """A dead process may still wait to be collected (state Z)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def test_streams_status_and_environment_are_told(tmp_path: Path) -> None:
    told = run(tmp_path, 'echo "$DSVM_SAMPLES"; echo why >&2; exit 5')

    assert (told["status"], told["stdout"], told["stderr"]) == (5, "/samples\n", "why\n")


def test_figures_come_back_and_the_folder_is_gone(tmp_path: Path) -> None:
    told = run(tmp_path, "printf 12 > a.png; printf 34 > b.svg; printf 5 > c.txt")

    assert told["figures"] == {"a.png": "MTI=", "b.svg": "MzQ="}
    assert list((tmp_path / "work").iterdir()) == []


def test_a_check_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    told = run(tmp_path, f"sleep 600 & echo $! > {pid}; wait", timeout_s=0.3)

    assert told["timed_out"]
    assert ends(int(pid.read_text()))


def test_what_a_check_leaves_running_ends_with_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    assert run(tmp_path, f"sleep 600 & echo $! > {pid}")["status"] == 0

    assert ends(int(pid.read_text()))


def test_death_by_a_signal_is_told(tmp_path: Path) -> None:
    assert run(tmp_path, "kill -SEGV $$")["status"] == -11


def test_endless_output_is_cut_to_its_end(tmp_path: Path) -> None:
    told = run(tmp_path, "seq 1 100000")

    assert told["stdout"].endswith("100000\n")
    assert len(told["stdout"]) <= 16_000


def test_a_missing_program_is_told(tmp_path: Path) -> None:
    asked = {"command": ["/no/such"], "folder": str(tmp_path / "w"), "env": {}, "timeout_s": 5}
    argv = [sys.executable, "-I", str(RUN_CHECK), json.dumps(asked)]

    told = json.loads(subprocess.run(argv, capture_output=True).stdout)

    assert (told["status"], told["stderr"]) == (127, "/no/such: No such file or directory")
