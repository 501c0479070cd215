"""What a restart would end is found among real processes; the personal groups only on a machine."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dsvm.guest.work import PERSONAL, Work, running
from dsvm.machines.work import sentences

WAIT_S = 10.0


def await_work(wanted: Work) -> None:
    deadline = time.monotonic() + WAIT_S
    while wanted not in running():
        assert time.monotonic() < deadline, running()
        time.sleep(0.02)


@contextmanager
def terminal(script: str) -> Iterator[int]:
    pid, master = pty.fork()
    if pid == 0:
        os.execvp("sh", ["sh", "-c", script])
    try:
        yield pid
    finally:
        os.close(master)
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def test_a_kernel_is_told_by_its_connection_file() -> None:
    code = "import time; time.sleep(60)"
    connection = "/run/user/1000/jupyter/kernel-0f3a.json"
    with subprocess.Popen([sys.executable, "-c", code, "-f", connection]) as kernel:
        try:
            user = Work("kernel", Path(sys.executable).name, whoami())
            await_work(user)
        finally:
            kernel.kill()


def test_a_terminal_tells_what_runs_in_front() -> None:
    with terminal("set -m; sleep 54.5; true"):
        await_work(Work("terminal", "sleep 54.5", whoami()))


@pytest.mark.parametrize(("name", "counted"), [("agetty", 0), ("other", 1)])
def test_a_console_at_which_nobody_has_logged_in_is_no_work(
    name: str, counted: int, tmp_path: Path
) -> None:
    with terminal(f"exec bash -c 'exec -a /sbin/{name} sleep 54.125'") as pid:
        deadline = time.monotonic() + WAIT_S
        while command(pid) != f"/sbin/{name} 54.125 ":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        (tmp_path / str(pid)).symlink_to(f"/proc/{pid}")  # others' terminals come and go

        assert [one.kind for one in running(tmp_path)] == ["terminal"] * counted


def test_who_asks_is_not_among_those_who_work() -> None:
    with terminal("sleep 54.25; true") as pid:
        deadline = time.monotonic() + WAIT_S
        while not any("sleep" in command(child) for child in children(pid)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        asked_inside = running(me=children(pid)[0])
        assert not [one for one in asked_inside if "54.25" in one.what]


def test_personal_is_what_a_person_started() -> None:
    user = "9:name=systemd:/user.slice/user-1000.slice"

    assert PERSONAL.search(f"{user}/session-c3.scope")
    assert PERSONAL.search(f"{user}/user@1000.service/app.slice/run-r1.service")
    assert not PERSONAL.search(f"{user}/user@1000.service/init.scope")
    assert not PERSONAL.search("0::/system.slice/jupyterlab.service")


def test_a_person_reads_sentences() -> None:
    works = [
        {"kind": "kernel", "what": "base", "user": "ds"},
        {"kind": "kernel", "what": "base", "user": "ds"},
        {"kind": "login", "what": "", "user": "ada"},
        {"kind": "terminal", "what": "vim notes", "user": "ds"},
        {"kind": "program", "what": "python train.py", "user": "ds"},
    ]

    assert list(sentences(works)) == [
        "2 × kernel base of ds",
        "login of ada",
        "terminal of ds with `vim notes`",
        "`python train.py` of ds",
    ]


def whoami() -> str:
    return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
