"""Traces two steps of a job without allocating its tensors; writes what happened as JSON.

`python trace.py ASKED.json RESULT.json`. The result is `{"ok": true, ...}` or `{"ok": false,
"kind", "text", "where"}`: what a person's own code does wrong is an answer, not a crash.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import torch
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)

sys.path.append(str(Path(__file__).parents[1]))

from advise_worker.follow import Follower
from advise_worker.job import BadJob, Job
from advise_worker.patches import prepare

MISFIT = ("shape", "size", "dimension", "reduction dim", "match", "expected input")


def main(asked_file: str, result_file: str) -> None:
    """Trace what is asked; write the result, whatever happens."""
    asked = json.loads(Path(asked_file).read_text())
    place = Path(result_file)
    try:
        result = traced(asked)
    except BadJob as bad:
        result = _failed(bad.kind, str(bad), bad, asked)
    except (DataDependentOutputException, DynamicOutputShapeException) as bad:
        result = _failed("data", f"{bad.func} needs the values of a tensor", bad, asked)
    except MemoryError as bad:
        result = _failed("memory", "the process reached its memory limit", bad, asked)
    except ImportError as bad:
        result = _failed("import", str(bad), bad, asked, module=bad.name)
    except Exception as bad:
        text = f"{type(bad).__name__}: {bad}"
        kind = "shape" if any(word in str(bad).lower() for word in MISFIT) else "raised"
        if "alloc" in str(bad).lower() and "memory" in str(bad).lower():
            kind = "memory"
        result = _failed(kind, text, bad, asked)
    place.write_text(json.dumps(result))


def traced(asked: dict[str, Any]) -> dict[str, Any]:
    """Run the job's steps under fake tensors; the events, operations and parts."""
    prepare()
    began = time.perf_counter()
    with FakeTensorMode(allow_non_fake_inputs=True), Follower() as follower:
        follower.phase("build")
        job = Job(asked)
        job.build()
        follower.mark("parameters", [*job.model.parameters(), *job.model.buffers()])
        job.run(2, lambda name: _phase(job, follower, name))
        parameters = sum(one.numel() for one in job.model.parameters())
        trained = sum(one.numel() for one in job.model.parameters() if one.requires_grad)
        events = list(follower.events)
    return {
        "ok": True,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "parameters": parameters,
        "trained": trained,
        "parameter_bytes": sum(p.numel() * p.element_size() for p in job.model.parameters()),
        "modules": sum(1 for _ in job.model.modules()),
        "events": events,
        "operations": follower.operations,
        "parts": follower.parts,
        "seconds": time.perf_counter() - began,
    }


def _phase(job: Job, follower: Follower, name: str) -> None:
    """A phase begins: what the one before has made gets its part."""
    if name == "optimizer":
        gradients = [one.grad for one in job.model.parameters() if one.grad is not None]
        follower.mark("gradients", gradients)
    if name == "end":
        states = [value for state in job.optimizer.state.values() for value in state.values()]
        follower.mark("optimizer", [value for value in states if torch.is_tensor(value)])
    follower.phase(name)


def _failed(
    kind: str, text: str, bad: BaseException, asked: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """What went wrong, with the last line of the person's own file that led there."""
    mine = str(asked.get("file", ""))
    frames = [one for one in traceback.extract_tb(bad.__traceback__) if one.filename == mine]
    where = f"{Path(mine).name}:{frames[-1].lineno}   {frames[-1].line}" if frames else ""
    return {"ok": False, "kind": kind, "text": text[:2000], "where": where, **more}


if __name__ == "__main__":
    main(*sys.argv[1:3])
