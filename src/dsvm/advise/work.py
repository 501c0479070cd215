"""Runs the standalone programs of `inside/advise_worker/` with a person's own code in them.

Their code may fail, sleep, print and write. It runs in a process group of its own, with limits on
memory, file size and time, in an empty folder that goes afterwards; where the host allows user
namespaces it sees everything else read-only, without a network, and nothing that it starts outlives
it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

from dsvm import scratch
from dsvm.console import size
from dsvm.errors import DsvmError
from dsvm.namespaces import SANDBOX
from dsvm.programs import ProgramFailed, run

INSIDE = Path(__file__).parent / "inside"
WORKER = INSIDE / "advise_worker"
GIB = 1024**3
MEMORY = 6 * GIB
FILE = GIB // 4
KEPT = 16_384
TIME_S = 180.0


@dataclass(frozen=True)
class Limits:
    """Bytes of memory and of one file, seconds of wall-clock time."""

    memory: int = MEMORY
    file: int = FILE
    seconds: float = TIME_S


def work(
    python: Path,
    program: str,
    asked: dict[str, Any],
    *,
    see: tuple[Path, ...] = (),
    limits: Limits = Limits(),
) -> dict[str, Any]:
    """Run `advise_worker/<program>.py` on what is asked; its result.

    `see` are files and folders that it needs, wherever they are. Raises `DsvmError` when it
    crashes, or outlasts a limit.
    """
    with scratch.folder("advise") as folder:
        (folder / "asked.json").write_text(json.dumps(asked), "utf-8")
        argv = [
            *(str(python), "-P", str(WORKER / f"{program}.py")),
            *(str(folder / "asked.json"), str(folder / "result.json")),
        ]
        argv = [*_walls(folder, (INSIDE, _root(python), *see)), *argv]
        ended, output = _run(argv, folder, limits)
        result = folder / "result.json"
        if not result.exists():
            raise _crashed(ended, output, limits)
        told: dict[str, Any] = json.loads(result.read_text("utf-8"))
        return told


def _run(argv: list[str], folder: Path, limits: Limits) -> tuple[int | None, str]:
    """Its status (None: out of time) and the end of what it printed."""
    program = subprocess.Popen(
        [*_limited(limits), *argv],
        cwd=folder,
        env=_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert program.stdout is not None
    tail = bytearray()
    reader = threading.Thread(target=_keep_tail, args=(program.stdout, tail), daemon=True)
    reader.start()
    try:
        status: int | None = program.wait(limits.seconds)
    except subprocess.TimeoutExpired:
        status = None
    finally:
        _end(program)
        reader.join(5)
        program.stdout.close()
    return status, tail.decode(errors="replace")


def _end(program: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGKILL)
    program.wait()


def _keep_tail(source: IO[bytes], tail: bytearray) -> None:
    try:
        while piece := source.read1(65536):  # type: ignore[attr-defined]
            tail += piece
            del tail[:-KEPT]
    except ValueError:  # closed: something that it started still holds the other end
        pass


def _limited(limits: Limits) -> list[str]:
    """prlimit(1): Python code may not run between fork and exec of a process with threads.

    RLIMIT_DATA counts what can be written, not the gigabytes that a CUDA build merely maps.
    """
    program = shutil.which("prlimit")
    if program is None:
        return []
    return [program, f"--data={limits.memory}", f"--fsize={limits.file}", "--core=0", "--"]


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return {
        **kept,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }


def _walls(folder: Path, see: tuple[Path, ...]) -> list[str]:
    if not _walls_stand():
        return []
    words = ["bwrap", "--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-net"]
    words += ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    words += ["--tmpfs", "/tmp"]
    for one in see:
        words += ["--ro-bind", str(one), str(one)]
    return [*words, "--bind", str(folder), str(folder), "--chdir", str(folder), "--"]


@cache
def _walls_stand() -> bool:
    try:
        run(SANDBOX, timeout_s=20)
    except ProgramFailed:
        return False
    return True


def _root(python: Path) -> Path:
    return python.parent.parent


def _crashed(status: int | None, output: str, limits: Limits) -> DsvmError:
    if status is None:
        return DsvmError(
            f"the job did not end within {limits.seconds:.0f} s",
            cause=_last(output) or "it was ended, and said nothing",
            remedy="model(), batch() and loss() must return; --time-limit gives them longer",
        )
    if "MemoryError" in output or "alloc" in output or status in (-signal.SIGKILL, 137):
        return DsvmError(
            f"the job needed more than {size(limits.memory)} although nothing was allocated for it",
            cause=_last(output),
            remedy="batch() may load less: only shapes matter here",
        )
    how = f"signal {-status}" if status < 0 else f"status {status}"
    return DsvmError(f"the job's process ended with {how}", cause=_last(output))


def _last(output: str) -> str:
    return "\n".join(output.strip().splitlines()[-6:])[-1500:]


Run = Callable[[str, dict[str, Any]], dict[str, Any]]
"""How a worker program is run: its name and what is asked; gives its result."""
