"""Runs external programs: one helper, so that every program keeps a log and fails alike."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from io import FileIO
from pathlib import Path
from typing import IO, Any, cast

from dsvm.errors import DsvmError

TAIL_LINES = 12
PIECE = 256 * 1024


class ProgramFailed(DsvmError):
    """An external program ended with another status than 0, ran too long, or is not there."""

    def __init__(
        self, argv: Sequence[str], reason: str, *, output: str = "", log: Path | None = None
    ) -> None:
        tail = "\n".join(output.strip().splitlines()[-TAIL_LINES:])
        super().__init__(
            f"`{Path(argv[0]).name}` {reason}",
            cause=tail or None,
            log=log,
            remedy=f"the command was: {_shown(argv)}",
        )
        self.argv = tuple(argv)
        self.output = output


class TimedOut(ProgramFailed):
    """An external program ran too long."""


def run(
    argv: Sequence[str | Path],
    *,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes | IO[bytes] | None = None,
    timeout_s: float | None = None,
    check: bool = True,
    outlive: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; return its status and output (stdout and stderr apart).

    With `log`, the command line and both streams are appended to that file as well. `env` is added
    to the caller's environment. The program is killed when the caller dies, unless it may `outlive`
    it: what changes the host had better come to its end. Raises `ProgramFailed` when the program is
    missing or (with `check`) ends with another status than 0, `TimedOut` when it outlasts
    `timeout_s` seconds.
    """
    words = [str(word) for word in argv]
    if shutil.which(words[0], path=(env or os.environ).get("PATH")) is None:
        raise ProgramFailed(words, "could not start: No such file or directory", log=log)
    feed: dict[str, Any] = (
        {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin or subprocess.DEVNULL}
    )
    try:
        done = subprocess.run(
            words if outlive else [*_dying_with_us(), *words],
            capture_output=True,
            cwd=cwd,
            env={**os.environ, **env} if env else None,
            timeout=timeout_s,
            **feed,
        )
    except subprocess.TimeoutExpired as late:
        output = ((late.stdout or b"") + (late.stderr or b"")).decode(errors="replace")
        _keep(log, words, output, "timed out")
        raise TimedOut(
            words, f"did not end within {timeout_s:.0f} s", output=output, log=log
        ) from None
    stdout = done.stdout.decode(errors="replace")
    stderr = done.stderr.decode(errors="replace")
    _keep(log, words, stdout + stderr, f"exit {done.returncode}")
    if check and done.returncode != 0:
        raise ProgramFailed(
            words, f"failed with status {done.returncode}", output=stderr or stdout, log=log
        )
    return subprocess.CompletedProcess(words, done.returncode, stdout, stderr)


def stream(
    argv: Sequence[str | Path], take: Callable[[bytearray], object], *, log: Path | None = None
) -> None:
    """Run a program and hand its stdout to `take`, piece by piece, as it comes.

    As `run` else. What `take` raises ends the program. The pieces are one buffer that is filled
    anew each time.
    """
    words = [str(word) for word in argv]
    if shutil.which(words[0]) is None:
        raise ProgramFailed(words, "could not start: No such file or directory", log=log)
    with tempfile.TemporaryFile() as said:
        program = subprocess.Popen(
            [*_dying_with_us(), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            bufsize=0,
        )
        with program:
            try:
                _hand_on(cast(FileIO, program.stdout), take)
            except BaseException:
                program.kill()
                raise
        said.seek(0)
        stderr = said.read().decode(errors="replace")
    _keep(log, words, stderr, f"exit {program.returncode}")
    if program.returncode != 0:
        raise ProgramFailed(
            words, f"failed with status {program.returncode}", output=stderr, log=log
        )


def _hand_on(source: FileIO, take: Callable[[bytearray], object]) -> None:
    piece = bytearray(PIECE)
    while count := _fill(source, piece):
        take(piece if count == PIECE else piece[:count])


def _fill(source: FileIO, piece: bytearray) -> int:
    """Read until the piece is full, for a pipe gives little at a time; how much there was."""
    view, count = memoryview(piece), 0
    while count < len(piece) and (more := source.readinto(view[count:])):
        count += more
    return count


def which(name: str) -> str | None:
    """Where a program is; a user's PATH often lacks the sbin folders."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin")


@cache
def _dying_with_us() -> tuple[str, ...]:
    """prctl(2), PR_SET_PDEATHSIG, set by a program: Python code may not run between fork and exec
    of a process with threads. It belongs to the thread that starts the program, which waits."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()


def _keep(log: Path | None, words: Sequence[str], output: str, end: str) -> None:
    if log is None:
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {shlex.join(words)}\n{output.rstrip()}\n[{end}]\n")


def _shown(argv: Sequence[str]) -> str:
    line = shlex.join(argv)
    return line if len(line) <= 500 else line[:500] + " …"
