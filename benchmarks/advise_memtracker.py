"""torch's own MemTracker on the same jobs.

`python advise_memtracker.py INSIDE ASKED.json RESULT.json`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker


def main(inside: str, asked_file: str, result_file: str) -> None:
    sys.path.insert(0, inside)
    from advise_worker.job import Job
    from advise_worker.patches import prepare

    asked = json.loads(Path(asked_file).read_text())
    prepare()  # without it several models cannot be built at all
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            job = Job(asked)
            job.build()
            tracker = MemTracker()
            tracker.track_external(job.model, *([job.optimizer] if job.optimizer else []))
            with tracker:
                job.run(1, lambda name: None)
                tracker.reset_mod_stats()
                job.run(1, lambda name: None)
            peak = tracker.get_tracker_snapshot("peak")
        told = {"ok": True, "bytes": peak[torch.device("cpu")]["Total"]}
    except Exception as bad:
        told = {"ok": False, "text": f"{type(bad).__name__}: {bad}"[:300]}
    Path(result_file).write_text(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:4])
