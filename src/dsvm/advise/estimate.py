"""From a job to what it needs: traces it in its environment and works out memory and time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsvm.advise.calibration import Shelf
from dsvm.advise.choose import Choice, Fit, choose, on_cpu, on_gpu
from dsvm.advise.gpus import gpu_step_time
from dsvm.advise.job import Job
from dsvm.advise.memory import SYSTEM, Bounds, Memory, Runtime, cpu_memory, cuda_memory
from dsvm.advise.steptime import StepTime, step_time
from dsvm.advise.tables import Table, table_memory
from dsvm.advise.trace import Trace, read_trace
from dsvm.sizes import Size
from dsvm.whole import write_whole

Work = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Runs a program of the worker, by name, on what is asked; gives its result."""
ONNX_RUNTIME = Runtime(0, 40 * 1024**2, 90 * 1024**2)
"""ONNX Runtime itself: its session and what Python imports for it. Not measured here."""
MODEL_CODE = 13_000_000
"""Of malloc: what transformers imports late, the code of a model (measured with 5.24)."""
TABLES_LACK = ("how the table came into memory", "sparse tables", "GPUs")
LIBRARIES = 150 * 1024**2
"""What pandas and the library take themselves, resident."""
CONVOLUTION = "convolution"
NO_GPU = "the GPU's figures are not tested: no GPU"
NOT_MODELLED = (
    "data-dependent routing",
    "torch.compile",
    "workers of data loaders and what they hold",
    "memory that libraries other than torch take",
)


@dataclass(frozen=True)
class Change:
    """One change of a job: bytes that the machine must then have, and the time for the same
    examples by that of the job as it is (least, most); None where that is not known."""

    what: str
    machine: int
    times: tuple[float, float] | None


@dataclass(frozen=True)
class Estimate:
    """What a job needs on its device, and which sizes have it.

    `not_modelled` names what the figures leave out.
    """

    job: dict[str, Any]
    memory: Memory
    step: StepTime | None
    choice: Choice
    other: Choice
    not_modelled: tuple[str, ...]
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Environment:
    """One environment: how programs run in it, and what it was once measured to take."""

    work: Work
    measured: Path

    def runtime(self, trace: Trace, *, imports: bool) -> Runtime:
        """What torch itself takes in a job like this. Measured on first use, and kept.

        A job that `imports` transformers has torch's late modules with it, and imports its own
        late: about as many pages, and much less by malloc.
        """
        training = not trace.inference or imports
        what = "training" if training else "inference"
        known = self._read()
        key = f"{what} {trace.torch}"
        if key not in known:
            known[key] = self.work("probe", {"training": training})
            self.measured.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.measured, json.dumps(known).encode())
        one = known[key]
        convolves = any(op.name.startswith(CONVOLUTION) for op in trace.operations)
        resident = one["convolutions" if convolves else "resident"]
        if imports:
            return Runtime(MODEL_CODE, resident + MODEL_CODE, 2 * one["imported"])
        return Runtime(one["heap"], resident, one["imported"])

    def _read(self) -> dict[str, Any]:
        try:
            known: dict[str, Any] = json.loads(self.measured.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return known


def estimate(job: Job, environment: Environment, shelf: Shelf, sizes: Sequence[Size]) -> Estimate:
    """Trace the job; work out its memory, its time, and the sizes for it.

    Raises `DsvmError` when it cannot be followed.
    """
    program = "graph" if job.onnx else "trace"
    trace = read_trace(environment.work(program, job.asked()), job.inference)
    runtime = (
        ONNX_RUNTIME if job.onnx else environment.runtime(trace, imports=job.config is not None)
    )
    cpu, cuda = cpu_memory(trace, runtime, Bounds()), cuda_memory(trace, runtime)
    step = step_time(trace, shelf.speeds(trace.torch, trace.threads), cpu.fresh)
    on_cpus = choose(on_cpu(sizes, cpu, step.expected, trace.threads))
    on_gpus = choose(on_gpu(sizes, cuda, lambda name: _seconds(trace, name)))
    if job.device == "cpu":
        return Estimate(job.json(), cpu, step, on_cpus, on_gpus, NOT_MODELLED)
    best = _first(on_gpus.cheapest, on_gpus.fastest)
    name = best.size.accelerator if best else None
    gpu_step = gpu_step_time(trace, name) if name else None
    return Estimate(job.json(), cuda, gpu_step, on_gpus, on_cpus, (NO_GPU, *NOT_MODELLED))


def _seconds(trace: Trace, name: str) -> float | None:
    found = gpu_step_time(trace, name)
    return found.expected if found else None


def _first(*fits: Fit | None) -> Fit | None:
    return next((one for one in fits if one), None)


def estimate_table(table: Table, sizes: Sequence[Size]) -> Estimate:
    """What training on a table takes, by formula. Raises `UsageError` for an unknown model."""
    found = table_memory(table)
    memory = Memory(
        expected=found.expected,
        upper=found.upper,
        parts=found.parts,
        process_expected=found.expected + LIBRARIES,
        process_upper=found.upper + LIBRARIES,
        machine=found.upper + LIBRARIES + SYSTEM,
    )
    nothing = choose(())
    sized = choose(on_cpu(sizes, memory, None, 1))
    return Estimate(vars(table), memory, None, sized, nothing, ("the time of a step", *TABLES_LACK))
