"""How long one step takes: each operation at the speed of its class and size.

A class's speed is known at some sizes, measured on this very processor with this very version of
the framework (`dsvm advise --calibrate`), or taken from a reference and marked as such. Between
sizes it is interpolated on a logarithmic scale; outside of them the nearest speed holds.
"""

from __future__ import annotations

import tomllib
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import exp, log

from dsvm.advise.counts import Work, work_of
from dsvm.advise.trace import Trace

CALIBRATED_BAND = (0.75, 1.4)
REFERENCE_BAND = (0.4, 3.0)
REFERENCE_THREADS = 2
SCALING = 0.8
"""A step with p times the processors takes p^-0.8 of the time: the usual loss by what is serial."""
MOST_SCALING = 16
"""Beyond so many times the processors nothing is known of how a step scales."""
FLOPS_KINDS = frozenset(
    f"{kind}{end}"
    for kind in ("gemm", "convolution", "depthwise", "attention", "rnn")
    for end in ("", " backward", " half", " backward half")
)


@dataclass(frozen=True)
class StepTime:
    """Seconds of one step, with an interval; `calibrated` on the processor it is for."""

    expected: float
    low: float
    high: float
    calibrated: bool


@dataclass(frozen=True)
class Speeds:
    """Per class (work of one call, seconds it took), sorted; seconds that any call costs."""

    points: dict[str, tuple[tuple[float, float], ...]]
    call: float
    calibrated: bool

    def seconds(self, work: Work) -> float:
        """How long one operation takes."""
        if work.kind == "nothing":
            return self.call
        amount = work.flops if work.kind in FLOPS_KINDS else work.bytes
        points = self.points.get(work.kind) or self.points[_stand_in(work.kind)]
        return max(self.call, amount / _speed(points, max(1, amount)))


def scaling(times: float) -> float:
    """How much faster so many times the processors are."""
    return float(min(times, MOST_SCALING) ** SCALING)


def step_time(trace: Trace, speeds: Speeds) -> StepTime:
    """Seconds of the last step of the trace."""
    expected = sum(speeds.seconds(work_of(one)) for one in trace.last_step())
    low, high = CALIBRATED_BAND if speeds.calibrated else REFERENCE_BAND
    return StepTime(expected, expected * low, expected * high, speeds.calibrated)


def calibrated(points: Sequence[tuple[str, float, float]], call: float) -> Speeds:
    """Speeds from what was measured: class, work of one call, seconds."""
    by_kind: dict[str, list[tuple[float, float]]] = {}
    for kind, amount, seconds in points:
        by_kind.setdefault(kind, []).append((amount, seconds))
    return Speeds({kind: tuple(sorted(one)) for kind, one in by_kind.items()}, call, True)


def reference(threads: int = REFERENCE_THREADS) -> Speeds:
    """Speeds of the processor in `reference.toml`, for where nothing was calibrated.

    More threads are assumed to be faster by the usual loss.
    """
    faster = scaling(threads / REFERENCE_THREADS)
    told = tomllib.loads(files("dsvm.advise").joinpath("reference.toml").read_text("utf-8"))
    points = {kind: tuple((a, s / faster) for a, s in one) for kind, one in told["points"].items()}
    return Speeds(points, told["call_seconds"], False)


def _stand_in(kind: str) -> str:
    """A class that was not measured runs as its nearest kin."""
    base = kind.removesuffix(" half").removesuffix(" backward")
    return base if base in FLOPS_KINDS else "elementwise"


def _speed(points: Sequence[tuple[float, float]], amount: float) -> float:
    """Work per second at this size."""
    sizes = [one[0] for one in points]
    at = bisect_left(sizes, amount)
    if at == 0:
        return points[0][0] / points[0][1]
    if at == len(points):
        return points[-1][0] / points[-1][1]
    (a, s), (b, t) = points[at - 1], points[at]
    share = (log(amount) - log(a)) / (log(b) - log(a))
    return exp(log(a / s) * (1 - share) + log(b / t) * share)
