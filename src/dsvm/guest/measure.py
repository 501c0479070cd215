"""Run a command and look at what it takes: memory of all its processes, GPUs, seconds.

Memory is told twice, each a lower bound of the truth: what the kernel remembers as the largest
process's peak (getrusage(2); never less than what this program holds itself, for a process begins
as a copy of the one that starts it), and the largest sum over all its processes, of a look every
0.1 s (`Pss` of proc_pid_smaps_rollup(5): shared pages count once).
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from dsvm.guest import nvml
from dsvm.guest.system import GuestError

LOOK_S = 0.1


@dataclass
class Taken:
    """`seconds` from start to end; `peak` in bytes, as above the larger of the two; `processes`:
    the most at once. Of GPUs the most of their memory in bytes that was in use, whoever used it,
    and the mean of how busy they were; None: there is none, or nobody tells."""

    seconds: float = 0.0
    peak: int = 0
    processes: int = 1
    status: int = 0
    gpu_peak: int | None = None
    gpu_busy: float | None = None


def measure(words: Sequence[str], report: Path, proc: Path = Path("/proc")) -> int:
    """Run it with our streams, write `Taken` as JSON to `report`; its exit status, as a shell's.

    Raises `GuestError` when there is no such command.
    """
    began = time.monotonic()
    try:
        child = subprocess.Popen(words)
    except OSError as wrong:
        raise GuestError(f"{words[0]}: {wrong.strerror}") from None
    taken, over = Taken(), threading.Event()
    looks = [
        threading.Thread(target=_repeat, args=(over, lambda: _look(child.pid, taken, proc))),
        threading.Thread(target=_gpus, args=(over, taken)),
    ]
    for look in looks:
        look.start()
    try:
        status, usage = _waited(child.pid)
    finally:
        over.set()
        for look in looks:
            look.join()
    taken.seconds = time.monotonic() - began
    taken.peak = max(taken.peak, usage * 1024)
    taken.status = child.returncode = status
    report.write_text(json.dumps(asdict(taken)))
    return status


def _waited(pid: int) -> tuple[int, int]:
    """The exit status, and the peak of the largest process in KiB. Ctrl-C is the command's."""
    while True:
        with suppress(KeyboardInterrupt):
            _, status, usage = os.wait4(pid, 0)
            code = os.waitstatus_to_exitcode(status)
            return (128 - code if code < 0 else code), usage.ru_maxrss


def _repeat(over: threading.Event, look: Callable[[], None]) -> None:
    while True:
        look()
        if over.wait(LOOK_S):
            return


def _look(pid: int, taken: Taken, proc: Path) -> None:
    family = _family(pid, proc)
    taken.processes = max(taken.processes, len(family))
    taken.peak = max(taken.peak, sum(_pss(proc / str(one)) for one in family))


def _family(pid: int, proc: Path) -> set[int]:
    """The process and all that it has started, as far as their parents live."""
    children: dict[int, list[int]] = {}
    for folder in proc.glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            # comm may hold spaces and brackets: what counts is behind the last one
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(folder.name))
    found, new = {pid}, [pid]
    while new:
        new = [one for parent in new for one in children.get(parent, ())]
        found.update(new)
    return found


def _pss(folder: Path) -> int:
    with suppress(OSError, ValueError, IndexError):
        for line in (folder / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _gpus(over: threading.Event, taken: Taken) -> None:
    busy: list[float] = []

    def look(read: Callable[[], nvml.Use]) -> None:
        used = read()
        taken.gpu_peak = max(taken.gpu_peak or 0, used.memory)
        busy.append(used.busy)

    with suppress(nvml.NvmlError), nvml.watched() as read:
        _repeat(over, lambda: look(read))
    if busy:
        taken.gpu_busy = sum(busy) / len(busy)
