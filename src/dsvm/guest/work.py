"""What people have running in the machine and a restart would end: kernels, terminals, programs.

Told from /proc alone (proc_pid_stat(5)), so it needs no token and sees every user's.
"""

from __future__ import annotations

import os
import pwd
import re
from dataclasses import dataclass
from pathlib import Path

from dsvm.guest.places import ENVS

CONNECTION = re.compile(r"kernel-[^/]*\.json$")
# Where systemd puts what a person started: a session, or a unit of the person's own.
PERSONAL = re.compile(r"/user\.slice/.*(/session-[^/]*\.scope|/app\.slice/)")
GOES_ON = re.compile(r"/dsvm-run-\d+\.service")
WAITING = "agetty"  # for somebody to log in at a console
PLUMBING = ("sshd", "sshd-session", "systemd", "sd-pam", "(sd-pam)", "dbus-daemon", "sftp-server")
LOOKS_ON = "/usr/bin/dsvm-guest runs follow "
SHOWN = 60


@dataclass(frozen=True)
class Work:
    """`kind` is `kernel` (named by `what`), `terminal` or `login` (`what` runs in it; empty: only
    the shell), or `program` (`what` is its command)."""

    kind: str
    what: str
    user: str


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    session: int
    terminal: int
    foreground: int
    uid: int
    words: tuple[str, ...]
    personal: bool
    goes_on: bool

    @property
    def name(self) -> str:
        """Servers write a title into their first word: `sshd-session: ada@pts/0`."""
        return Path(self.words[0].partition(":")[0]).name

    @property
    def user(self) -> str:
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return str(self.uid)

    @property
    def command(self) -> str:
        shown = " ".join([self.name, *self.words[1:]])
        return shown if len(shown) <= SHOWN else f"{shown[: SHOWN - 1]}…"

    @property
    def kernel(self) -> bool:
        return any(CONNECTION.search(word) for word in self.words)


def running(proc: Path = Path("/proc"), me: int | None = None) -> list[Work]:
    """All of it; `me` (default: this process), its ancestors and plumbing do not count, nor what
    goes on after a restart (`dsvm.guest.runs`)."""
    found = _processes(proc)
    own = _line(found, os.getpid() if me is None else me)
    others = {pid: one for pid, one in found.items() if pid not in own and not one.goes_on}
    works = []
    for one in others.values():
        above = others.get(one.parent)
        if one.kernel:
            if not (above and above.kernel):
                works.append(Work("kernel", _environment(one), one.user))
        elif one.terminal and one.pid == one.session and one.name != WAITING:
            works.append(_terminal(one, found))
        elif _is_program(one) and not (above and _is_program(above)):
            works.append(Work("program", one.command, one.user))
    return sorted(works, key=lambda work: (work.kind, work.user, work.what))


def _is_program(one: _Process) -> bool:
    if not one.personal or one.terminal or one.kernel or one.name in PLUMBING:
        return False
    return LOOKS_ON not in " ".join(one.words)


def _terminal(leader: _Process, found: dict[int, _Process]) -> Work:
    by_ssh = any(found[pid].name.startswith("sshd") for pid in _line(found, leader.pid))
    front = found.get(leader.foreground)
    what = front.command if front and front.pid != leader.pid else ""
    return Work("login" if by_ssh else "terminal", what, leader.user)


def _environment(kernel: _Process) -> str:
    """The environment whose Python it is, else the program's name (`R`)."""
    program = Path(kernel.words[0])
    if program.is_relative_to(ENVS):
        return program.relative_to(ENVS).parts[0]
    return program.name


def _line(found: dict[int, _Process], pid: int) -> set[int]:
    """A process and its ancestors."""
    line: set[int] = set()
    while pid in found and pid not in line:
        line.add(pid)
        pid = found[pid].parent
    return line


def _processes(proc: Path) -> dict[int, _Process]:
    found = {}
    for folder in proc.glob("[0-9]*"):
        try:
            one = _process(folder)
        except (OSError, ValueError, IndexError):
            continue  # it has just ended
        if one:
            found[one.pid] = one
    return found


def _process(folder: Path) -> _Process | None:
    """None for one without a command line: the kernel's own, or a zombie."""
    line = (folder / "cmdline").read_bytes().rstrip(b"\0").decode(errors="replace")
    if not line:
        return None
    # The second field, a name in parentheses, may hold blanks and parentheses.
    fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
    parent, _, session, terminal, foreground = map(int, fields[1:6])
    groups = (folder / "cgroup").read_text().splitlines()
    return _Process(
        pid=int(folder.name),
        parent=parent,
        session=session,
        terminal=terminal,
        foreground=foreground,
        uid=folder.stat().st_uid,
        words=tuple(line.split("\0")),
        personal=any(PERSONAL.search(group) for group in groups),
        goes_on=any(GOES_ON.search(group) for group in groups),
    )
