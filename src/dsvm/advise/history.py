"""What was advised, and what runs truly took: kept side by side in `DSVM_HOME/advice`.

A run is compared with what was last advised in the folder of its machine's dsvm.toml.
"""

from __future__ import annotations

import fcntl
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from dsvm.advise.estimate import Estimate
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.whole import write_whole

LAST, RUNS = "last.json", "runs.jsonl"


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True)


class Advice(_Kept):
    """Bytes and seconds that were advised. On a CPU `expected` and `upper` are all that the process
    holds, its imports too; on a GPU what it reserves there."""

    at: datetime
    job: dict[str, Any]
    expected: int
    upper: int
    step_seconds: float | None

    @property
    def on_gpu(self) -> bool:
        return self.job.get("device") == "cuda"


class Taken(_Kept):
    """As `dsvm.guest.measure.Taken`."""

    seconds: float
    peak: int
    processes: int
    status: int
    gpu_peak: int | None
    gpu_busy: float | None


class Run(_Kept):
    """One measured run; `steps`, where the person said how many it does. `advice`: what had been
    advised in that folder, if anything."""

    at: datetime
    machine: str
    command: str
    taken: Taken
    steps: int | None = None
    advice: Advice | None = None

    @property
    def truth(self) -> int | None:
        """Bytes that `advice.expected` speaks of."""
        gpu = self.advice is not None and self.advice.on_gpu
        return self.taken.gpu_peak if gpu else self.taken.peak

    @property
    def step_seconds(self) -> float | None:
        """Of one step, with a share of what the run took to start."""
        return self.taken.seconds / self.steps if self.steps else None

    @property
    def error(self) -> float | None:
        """By which part of the truth the expected memory is too high, or (negative) too low."""
        if self.advice is None or not self.truth:
            return None
        return (self.advice.expected - self.truth) / self.truth


_BY_FOLDER = TypeAdapter(dict[str, Advice])


def advice_of(found: Estimate, at: datetime) -> Advice:
    """What is kept of an estimate."""
    memory = found.memory
    imported = 0 if found.job.get("device") == "cuda" else memory.imported
    return Advice(
        at=at,
        job=found.job,
        expected=memory.process_expected + imported,
        upper=memory.process_upper + imported,
        step_seconds=found.step.expected if found.step else None,
    )


def keep_advice(home: Home, folder: Path, advice: Advice) -> None:
    """The last one of this folder from now on."""
    home.advice.mkdir(parents=True, exist_ok=True)
    known = _last(home)
    known[str(folder.absolute())] = advice
    write_whole(home.advice / LAST, _BY_FOLDER.dump_json(known, indent=1))


def last_advice(home: Home, folder: Path) -> Advice | None:
    return _last(home).get(str(folder.absolute()))


def keep_run(home: Home, run: Run) -> None:
    """Add one; two at once take turns."""
    home.advice.mkdir(parents=True, exist_ok=True)
    with (home.advice / RUNS).open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(run.model_dump_json() + "\n")


def runs(home: Home) -> list[Run]:
    """All of them, the oldest first. Raises `DsvmError` for a file that is damaged."""
    file = home.advice / RUNS
    if not file.exists():
        return []
    try:
        lines = file.read_text("utf-8").splitlines()
        return [Run.model_validate_json(line) for line in lines]
    except ValidationError as wrong:
        raise _damaged(file, wrong) from None


def _last(home: Home) -> dict[str, Advice]:
    file = home.advice / LAST
    if not file.exists():
        return {}
    try:
        return _BY_FOLDER.validate_json(file.read_bytes())
    except ValidationError as wrong:
        raise _damaged(file, wrong) from None


def _damaged(file: Path, wrong: ValidationError) -> DsvmError:
    return DsvmError(
        f"{file} cannot be read",
        cause=f"{wrong.errors()[0]['msg']}",
        remedy="move it away: only what was advised and measured so far is in it",
    )
