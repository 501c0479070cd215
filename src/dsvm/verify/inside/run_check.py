"""Runs one check inside the machine, within its time, and tells how it ended. Standard library.

Called with one JSON object: `command`, `folder` (made, and removed again), `env`, `timeout_s`.
Prints one JSON object: `status` (exit status; negative: the signal that ended it), `timed_out`,
`out_of_memory`, `seconds`, `stdout`, `stderr` (their ends), `figures` (name -> base64).
SIGTERM ends the check with all that it started.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

TAIL = 16_000
FIGURE = 2_000_000
FIGURES = 6


def main(asked: dict[str, Any]) -> dict[str, Any]:
    folder = Path(asked["folder"])
    folder.mkdir(parents=True)
    streams = folder.with_name(folder.name + ".streams")
    streams.mkdir()
    try:
        return {**_run(asked, folder, streams), "figures": _figures(folder)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(streams, ignore_errors=True)


def _run(asked: dict[str, Any], folder: Path, streams: Path) -> dict[str, Any]:
    killed_before = _oom_kills()
    begin = time.monotonic()
    out, err = streams / "out", streams / "err"
    late = False
    with out.open("wb") as stdout, err.open("wb") as stderr:
        try:
            process = subprocess.Popen(
                asked["command"],
                cwd=folder,
                env={**os.environ, "TMPDIR": str(folder), **asked["env"]},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        except OSError as missing:
            reason = f"{asked['command'][0]}: {missing.strerror}"
            return _ended(127, 0.0, "", reason)
        try:
            process.wait(asked["timeout_s"])
        except subprocess.TimeoutExpired:
            late = True
        finally:
            # Whatever it started goes with it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
    seconds = time.monotonic() - begin
    memory = status == -signal.SIGKILL and not late and _oom_kills() > killed_before
    return _ended(status, seconds, _tail(out), _tail(err), late=late, memory=memory)


def _ended(
    status: int, seconds: float, out: str, err: str, *, late: bool = False, memory: bool = False
) -> dict[str, Any]:
    return {
        "status": status,
        "timed_out": late,
        "out_of_memory": memory,
        "seconds": round(seconds, 3),
        "stdout": out,
        "stderr": err,
    }


def _oom_kills() -> int:
    """How often the kernel has killed for memory (proc(5): vmstat)."""
    for line in Path("/proc/vmstat").read_text().splitlines():
        if line.startswith("oom_kill "):
            return int(line.split()[1])
    return 0


def _tail(file: Path) -> str:
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - TAIL))
        return stream.read().decode(errors="replace")


def _figures(folder: Path) -> dict[str, str]:
    found = sorted([*folder.glob("*.png"), *folder.glob("*.svg")])
    small = [file for file in found if file.stat().st_size <= FIGURE]
    return {file.name: base64.b64encode(file.read_bytes()).decode() for file in small[:FIGURES]}


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("it was ended"))
    print(json.dumps(main(json.loads(sys.argv[1]))))
