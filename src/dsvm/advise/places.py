"""Where a job is traced: in a virtual environment of this host, or inside a machine."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

from dsvm.advise.environment import at_path, made_for
from dsvm.advise.estimate import Environment, Work
from dsvm.advise.job import Job
from dsvm.advise.requirements import requirements_of
from dsvm.advise.work import Limits, work
from dsvm.home import Home
from dsvm.progress import Progress


def environment_of(
    job: Job, wanted: str | None, home: Home, progress: Progress, time_limit: float
) -> Environment:
    """The environment a job is traced in; made where none is `wanted`. Raises `DsvmError`.

    `wanted` is the folder of a virtual environment, or `MACHINE[:NAME]`.
    """
    limits = Limits(seconds=time_limit)
    run: Work
    source = job.file or job.config or job.onnx
    if wanted is not None and not Path(wanted).exists():
        run, told = _inside(wanted, source, home, limits)
    else:
        needs = _needs(job)
        made = made_for(home, needs, progress) if wanted is None else at_path(Path(wanted))
        see = (source.parent,) if source else ()
        run = partial(work, made.python, see=see, limits=limits)
        told = str(made.python)
    name = hashlib.sha256(told.encode()).hexdigest()[:16]
    return Environment(run, home.cache / "advise" / f"{name}.measured.json")


def _inside(wanted: str, source: Path | None, home: Home, limits: Limits) -> tuple[Work, str]:
    from dsvm.advise.inside_machine import ENVIRONMENT, run_inside
    from dsvm.machines.state import Machines

    name, _, environment = wanted.partition(":")
    machine = Machines(home).get(name)
    machine.ssh.open()
    run = partial(run_inside, machine, environment or ENVIRONMENT, source, limits)
    return run, f"machine {name} {environment}"


def _needs(job: Job) -> list[str]:
    if job.file:
        return requirements_of(job.file)
    if job.onnx:
        return ["numpy", "onnx"]
    return ["torch", "transformers", *(["peft"] if job.lora else [])]
