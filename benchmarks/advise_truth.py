"""Runs a job truly, in a fresh process, and tells what it took.

`python advise_truth.py WORKER_FOLDER ASKED.json RESULT.json`, with the malloc counter preloaded.
Figures are above those after `import torch` and the import of the job's file. With `"profile"` each
operation's own scratch and seconds are told as well.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import re
import resource
import sys
import time
from pathlib import Path
from typing import Any


def main(worker: str, asked_file: str, result_file: str) -> None:
    sys.path.insert(0, worker)
    import torch
    from advise_worker.job import Job  # type: ignore[import-not-found]

    asked = json.loads(Path(asked_file).read_text())
    torch.manual_seed(0)
    counter = ctypes.CDLL(None)
    for name in ("counter_live", "counter_peak"):
        getattr(counter, name).restype = ctypes.c_long
    job = Job(asked)
    heap, rss = counter.counter_live(), status("VmRSS")
    counter.counter_reset()
    Path("/proc/self/clear_refs").write_text("5")
    job.build()
    stamps: list[float] = []
    faults: list[int] = []
    phases: list[tuple[str, int]] = []

    def phase(name: str) -> None:
        if name == "batch":
            stamps.append(time.perf_counter())
            faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
        phases.append((name, counter.counter_live() - heap))

    steps = int(asked.get("steps", 3))
    if asked.get("profile"):
        from advise_profile import Profile

        with Profile(counter) as profile:
            job.run(steps, phase)
    else:
        job.run(steps, phase)
    stamps.append(time.perf_counter())
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
    taken = [after - before for before, after in itertools.pairwise(stamps)]
    result: dict[str, Any] = {
        "heap": counter.counter_peak() - heap,
        "rss": status("VmHWM") - rss,
        "rss_imports": rss,
        "seconds": min(taken[1:] or taken),
        "all_seconds": taken,
        "faults": [after - before for before, after in itertools.pairwise(faults)],
        "phases": phases,
    }
    if asked.get("profile"):
        result["operations"] = profile.rows()
    Path(result_file).write_text(json.dumps(result))


def status(field: str) -> int:
    """A figure of /proc/self/status, in bytes."""
    text = Path("/proc/self/status").read_text()
    found = re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


if __name__ == "__main__":
    main(*sys.argv[1:4])
