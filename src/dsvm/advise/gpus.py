"""Step time on a GPU from its published peaks: a roofline per operation, never calibrated here."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from dsvm.advise.counts import Work, work_of
from dsvm.advise.steptime import REFERENCE_BAND, StepTime
from dsvm.advise.trace import Trace

TERA, GIGA = 1e12, 1e9


@dataclass(frozen=True)
class Gpu:
    """Peaks: operations a second in 32 bits and in 16 on tensor cores, bytes a second.

    `source` is who publishes them: a title and an address.
    """

    fp32: float
    half: float
    bandwidth: float
    source: str


@dataclass(frozen=True)
class Gpus:
    """All that are known; the shares of peaks that are reached, and seconds of any call."""

    by_name: dict[str, Gpu]
    mfu: float
    reach: float
    call: float

    def seconds(self, gpu: Gpu, work: Work) -> float:
        peak = gpu.half if work.kind.endswith("half") else gpu.fp32
        return max(
            self.call,
            work.flops / (peak * TERA * self.mfu),
            work.bytes / (gpu.bandwidth * GIGA * self.reach),
        )


@cache
def load_gpus() -> Gpus:
    """The table in `gpus.toml`."""
    told = tomllib.loads(files("dsvm.advise").joinpath("gpus.toml").read_text("utf-8"))
    by_name = {name: Gpu(**one) for name, one in told["gpu"].items()}
    return Gpus(by_name, told["mfu"], told["reach"], told["call_seconds"])


def gpu_step_time(trace: Trace, name: str) -> StepTime | None:
    """Seconds of a step on this GPU; None where its peaks are not known."""
    known = load_gpus()
    gpu = known.by_name.get(name)
    if gpu is None:
        return None
    expected = sum(known.seconds(gpu, work_of(one)) for one in trace.last_step())
    low, high = REFERENCE_BAND
    return StepTime(expected, expected * low, expected * high, False)
