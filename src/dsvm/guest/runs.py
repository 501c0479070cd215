"""Runs that survive a restart: commands of the login that the machine starts again when it boots.

~/.local/state/dsvm/runs/<number>/
  run.json   command, folder, when it began, how often it was started
  log        both of its streams
  ended      its exit status; not there while it is to go on
  stopped    somebody ended it for good

A command that ends by itself, well or not, is over. One that ends because the machine stops, or
with it, goes on at the next boot: started anew, with `DSVM_RUN_STARTS` above 1.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from dsvm.guest import seedfile, users
from dsvm.guest.environments import Account
from dsvm.guest.places import LOGIN_ENV
from dsvm.guest.system import GuestError, own_home, run, write

PLACE = Path(".local/state/dsvm/runs")
# The host powers a machine off by force ten seconds later.
STOP_S = 20
POLL_S = 0.2
NOT_FOUND, NOT_EXECUTABLE = 127, 126  # as a shell tells it


@dataclass(frozen=True)
class Run:
    """`began` is in seconds since 1970, `starts` counts how often its command was started."""

    number: int
    command: tuple[str, ...]
    folder: str
    began: float
    starts: int = 0


@dataclass(frozen=True)
class Runs:
    """Those of one user. `root` is the user's home."""

    root: Path

    def add(self, command: Sequence[str], folder: Path) -> Run:
        """Keep a new one; nothing is started."""
        self._place.mkdir(parents=True, exist_ok=True, mode=0o700)
        number = 1 + max(self.numbers(), default=0)
        while True:
            try:
                self.place(number).mkdir(mode=0o700)
                break
            except FileExistsError:  # another one was added at this moment
                number += 1
        added = Run(number, tuple(command), str(folder), time.time())
        self._write(added)
        return added

    def numbers(self) -> list[int]:
        names = [one.name for one in self._place.glob("[1-9]*") if (one / "run.json").exists()]
        return sorted(int(name) for name in names if name.isdecimal())

    def get(self, number: int) -> Run:
        """Raises `GuestError` when there is none."""
        try:
            told: dict[str, Any] = json.loads((self.place(number) / "run.json").read_text())
        except OSError:
            known = ", ".join(map(str, self.numbers())) or "none"
            raise GuestError(f"there is no run {number}; there are: {known}") from None
        return Run(**{**told, "command": tuple(told["command"])})

    def place(self, number: int) -> Path:
        return self._place / str(number)

    def log(self, number: int) -> Path:
        return self.place(number) / "log"

    def status(self, number: int) -> int | None:
        """The exit status of one that ended by itself; a signal N is 128 + N."""
        try:
            return int((self.place(number) / "ended").read_text())
        except OSError:
            return None

    def stopped(self, number: int) -> bool:
        return (self.place(number) / "stopped").exists()

    def over(self, number: int) -> bool:
        return self.stopped(number) or self.status(number) is not None

    def start(self, number: int) -> Run:
        """One more start of it."""
        one = self.get(number)
        one = replace(one, starts=one.starts + 1)
        self._write(one)
        return one

    def end(self, number: int, status: int) -> None:
        self._put(number, "ended", f"{status}\n")

    def stop(self, number: int) -> None:
        self.get(number)
        self._put(number, "stopped", "")

    @property
    def _place(self) -> Path:
        return self.root / PLACE

    def _write(self, one: Run) -> None:
        self._put(one.number, "run.json", json.dumps(asdict(one)) + "\n")

    def _put(self, number: int, name: str, text: str) -> None:
        file = self.place(number) / name
        write(file, text, uid=os.getuid(), gid=os.getgid(), synced=True)


def command(what: str, asked: argparse.Namespace) -> int:
    """Run one of the commands of `dsvm-guest runs`, for the user who calls."""
    runs = Runs(own_home())
    if what == "ls":
        print(json.dumps(listed(runs)))
    elif what == "add":
        print(runs.add(asked.words, Path.cwd()).number)
        run("sudo", "-n", "/usr/bin/dsvm-guest", "runs", "go-on")
    elif what == "go-on":
        login = users.account(seedfile.load()["login"])
        go_on(login, Path(pwd.getpwnam(login.name).pw_dir))
    elif what == "follow":
        follow(runs, asked.number, asked.start)
    elif what == "stop":
        stop(runs, asked.number)
    else:
        keep(runs, asked.number)
    return 0


def unit(number: int) -> str:
    return f"dsvm-run-{number}.service"


def go_on(login: Account, home: Path) -> None:
    """Start what is not over and does not run. By root."""
    runs = Runs(home)
    numbers = [number for number in runs.numbers() if not runs.over(number)]
    for number, here in zip(numbers, active(numbers), strict=True):
        if not here:
            run("systemd-run", *_unit(number, login), "--", *_keeper(number))


def active(numbers: Sequence[int]) -> list[bool]:
    """Which of them run now."""
    if not numbers:
        return []
    told = run("systemctl", "is-active", *map(unit, numbers), check=False).split()
    return [word in ("active", "activating", "deactivating") for word in told]


def _unit(number: int, login: Account) -> list[str]:
    properties = (
        f"Description=run {number} of {login.name}, which goes on after a restart (dsvm)",
        "After=dsvm-guest.service",
        "WorkingDirectory=~",
        "EnvironmentFile=-/etc/environment",
        "EnvironmentFile=-/etc/default/locale",
        f"EnvironmentFile=-{LOGIN_ENV}",
        # The command alone is asked to end, by its keeper; then all that is left is killed.
        "KillMode=mixed",
        f"TimeoutStopSec={STOP_S}",
        # Its keeper was killed. A command that was ends the run.
        "Restart=on-abnormal",
        "OOMPolicy=continue",
    )
    words = ["--quiet", "--collect", "--no-block", f"--unit={unit(number)}", f"--uid={login.name}"]
    return [*words, *(f"--property={one}" for one in properties)]


def _keeper(number: int) -> list[str]:
    return ["/usr/bin/python3", "-IB", "/usr/bin/dsvm-guest", "runs", "keep", str(number)]


def keep(runs: Runs, number: int) -> None:
    """Run the command to its end and keep its status, unless the machine ends it."""
    one = runs.start(number)
    about = {"DSVM_RUN": str(number), "DSVM_RUN_STARTS": str(one.starts)}
    with runs.log(number).open("ab", buffering=0) as log:
        if one.starts > 1:
            when = time.strftime("%Y-%m-%d %H:%M:%S")
            log.write(f"dsvm: {when}: start {one.starts}, after a restart\n".encode())
        try:
            child = subprocess.Popen(
                one.command,
                cwd=one.folder,
                env={"PYTHONUNBUFFERED": "1", **os.environ, **about},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        except OSError as failed:
            log.write(f"dsvm: {failed}\n".encode())
            missing = isinstance(failed, FileNotFoundError)
            runs.end(number, NOT_FOUND if missing else NOT_EXECUTABLE)
            return
        asked = _pass_on_the_end(child)
        status = child.wait()
    if not asked():
        runs.end(number, status if status >= 0 else 128 - status)


def _pass_on_the_end(child: subprocess.Popen[bytes]) -> Callable[[], bool]:
    """Let the command know that it shall end; whether it was asked to is told by what is returned.

    It alone: a trainer's loading processes are its own to end.
    """
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        child.send_signal(number)

    signal.signal(signal.SIGTERM, ask)
    return lambda: asked


def stop(runs: Runs, number: int) -> None:
    """End one for good: asked to end, and killed when it has not within `STOP_S` seconds."""
    runs.stop(number)
    run("sudo", "-n", "systemctl", "stop", unit(number), check=False, timeout_s=STOP_S + 30)


def follow(runs: Runs, number: int, start: int = 0) -> None:
    """Write its log to stdout, from byte `start`, until it is over."""
    runs.get(number)
    log = runs.log(number)
    while True:
        over = runs.over(number)  # before the log is read: what it wrote last is in it then
        if log.exists():
            with log.open("rb") as file:
                file.seek(start)
                while block := file.read(1 << 16):
                    sys.stdout.buffer.write(block)
                    start += len(block)
            sys.stdout.buffer.flush()
        if over:
            return
        time.sleep(POLL_S)


def listed(runs: Runs) -> list[dict[str, Any]]:
    """For `dsvm runs`. `state` is `running`, `waiting` (for the next start of the machine),
    `stopped` (for good) or `ended` (with `status`)."""
    numbers = runs.numbers()
    found = []
    for number, here in zip(numbers, active(numbers), strict=True):
        status = runs.status(number)
        state = "ended" if status is not None else "stopped" if runs.stopped(number) else ""
        found.append(
            {
                **asdict(runs.get(number)),
                "state": state or ("running" if here else "waiting"),
                "status": status,
                "log": str(runs.log(number)),
            }
        )
    return found
