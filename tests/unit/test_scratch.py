"""Folders and programs of a process that is killed do not stay."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dsvm import scratch
from dsvm.errors import UsageError
from dsvm.machines.naming import resolve

SOURCE = str(Path(scratch.__file__).parents[1])


def killed(code: str, *words: str) -> None:
    """Run Python code that kills itself."""
    argv = [sys.executable, "-c", f"import os, sys\n{code}", *words]
    subprocess.run(argv, env={**os.environ, "PYTHONPATH": SOURCE}, check=False)


def test_a_killed_process_leaves_a_folder_only_until_the_next_one(tmp_path: Path) -> None:
    killed(
        "from pathlib import Path\nfrom dsvm import scratch\n"
        "with scratch.folder('one', Path(sys.argv[1])) as folder:\n    os.kill(os.getpid(), 9)",
        str(tmp_path),
    )
    [left] = tmp_path.iterdir()
    (tmp_path / "dsvm-of-mine").mkdir()

    with scratch.folder("two", tmp_path) as living:
        assert scratch.sweep(tmp_path) == 0
        assert living.exists()
    assert not left.exists()
    assert (tmp_path / "dsvm-of-mine").exists()


def test_a_program_dies_with_the_process_that_runs_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    killed(
        "import threading, time\nfrom dsvm.programs import run\n"
        "script = f'echo $$ > {sys.argv[1]}; exec sleep 600'\n"
        "threading.Thread(target=run, args=(['sh', '-c', script],), daemon=True).start()\n"
        "while not os.path.exists(sys.argv[1]) or not os.path.getsize(sys.argv[1]):\n"
        "    time.sleep(0.01)\n"
        "os.kill(os.getpid(), 9)",
        str(pid),
    )
    process = Path("/proc") / pid.read_text().strip()
    deadline = time.monotonic() + 10
    while process.exists() and "Z" not in (process / "stat").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "/etc", "-x", "A"])
def test_a_name_cannot_leave_the_folder_of_machines(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a machine"):
        resolve(name, Path("/"))
