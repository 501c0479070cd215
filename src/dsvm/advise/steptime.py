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
from typing import Any

from dsvm.advise.counts import Work, work_of
from dsvm.advise.trace import Trace, read_operation

CALIBRATED_BAND = (0.75, 1.6)
"""Of 149 steps of the development models 148 took no less and no more than this."""
REFERENCE_BAND = (0.4, 3.0)
IN_A_JOB = 1.08
"""A step takes so much more than its operations alone: the median of the development models."""
REFERENCE_THREADS = 2
SCALING = 0.8
"""A step with p times the processors takes p^-0.8 of the time: the usual loss by what is serial."""
MOST_SCALING = 16
"""Beyond so many times the processors nothing is known of how a step scales."""
FLOPS_KINDS = frozenset(
    f"{kind}{end}"
    for kind in (
        *("gemm", "convolution", "narrow", "dilated", "grouped", "depthwise wide", "attention"),
        *("rnn", "largest"),
    )
    for end in ("", " backward", " half", " backward half")
)
LEAST_SHARE = 0.2
"""What a call costs, and what it moves, is taken from a measured time until so much is left."""
MOVES_MORE = 8
"""So many times as much is moved for what is computed as by the most compact of its class."""


@dataclass(frozen=True)
class StepTime:
    """Seconds of one step, with an interval; `calibrated` on the processor it is for."""

    expected: float
    low: float
    high: float
    calibrated: bool


@dataclass(frozen=True)
class Speeds:
    """Per class (work of one operation, seconds it took), sorted.

    `call`: seconds that any operation costs in a job, Python's part and autograd's included.
    `moving`: per computing class the seconds for each byte that it moves. `fresh`: seconds per byte
    of memory that is new to the process, which the kernel has to give and to clear.
    """

    points: dict[str, tuple[tuple[float, float], ...]]
    call: float
    moving: dict[str, float]
    fresh: float
    calibrated: bool

    def seconds(self, work: Work) -> float:
        """How long one operation takes, its memory not new."""
        if work.kind == "nothing":
            return self.call
        known = self._known(work.kind)
        points = self.points[known]
        if work.kind not in FLOPS_KINDS:
            return self.call + work.bytes / _speed(points, max(1, work.bytes))
        computing = work.flops / _speed(points, max(1, work.flops))
        return self.call + computing + work.bytes * self.moving.get(known, 0.0)

    def _known(self, kind: str) -> str:
        """The class itself, or its nearest kin that was measured."""
        base = kind.removesuffix(" half")
        kin = base.replace(" strided", "")
        for one in (kind, base, kin, kin.removesuffix(" backward")):
            if one in self.points:
                return one
        return "elementwise half" if kind != base else "elementwise"


def scaling(times: float) -> float:
    """How much faster so many times the processors are."""
    return float(min(times, MOST_SCALING) ** SCALING)


def step_time(trace: Trace, speeds: Speeds, fresh: int) -> StepTime:
    """Seconds of the last step of the trace, of which `fresh` bytes are new to the process."""
    expected = sum(speeds.seconds(work_of(one)) for one in trace.last_step())
    expected = IN_A_JOB * expected + fresh * speeds.fresh
    low, high = CALIBRATED_BAND if speeds.calibrated else REFERENCE_BAND
    return StepTime(expected, expected * low, expected * high, speeds.calibrated)


def calibrated(told: dict[str, Any]) -> Speeds:
    """Speeds from what the worker measured: of each point what it called, and its seconds."""
    by_kind: dict[str, list[tuple[Work, float]]] = {}
    for operations, taken in told["points"]:
        work = _main_work(operations)
        alone = max(taken - told["bare"], taken * LEAST_SHARE)
        by_kind.setdefault(work.kind, []).append((work, alone))
    points, moving = {}, {}
    for kind, measured in by_kind.items():
        if kind in FLOPS_KINDS:
            points[kind], moving[kind] = _computing(measured)
        else:
            points[kind] = tuple(sorted((work.bytes, taken) for work, taken in measured))
    return Speeds(points, told["call"], moving, told["fresh"], True)


def _computing(
    measured: Sequence[tuple[Work, float]],
) -> tuple[tuple[tuple[float, float], ...], float]:
    """The speed at which a class computes, and seconds for each byte that it moves.

    Of several operations that which moves most for what it computes shows what moving costs.
    """
    points = tuple(sorted((work.flops, taken) for work, taken in measured))
    least = min(work.bytes / work.flops for work, _ in measured)
    work, taken = max(measured, key=lambda one: one[0].bytes ** 2 / one[0].flops)
    if work.bytes / work.flops < MOVES_MORE * least:
        return points, 0.0
    rest = tuple(one for one in points if one != (work.flops, taken))
    each = max(0.0, taken - work.flops / _speed(rest, work.flops)) / work.bytes
    return tuple(
        sorted(
            (one.flops, max(took - one.bytes * each, took * LEAST_SHARE))
            for one, took in measured
            if one is not work
        )
    ), each


def _main_work(operations: Sequence[Any]) -> Work:
    """Of what one run calls, that which does most."""
    return max(
        map(work_of, map(read_operation, operations)), key=lambda one: (one.flops, one.bytes)
    )


def reference(threads: int = REFERENCE_THREADS) -> Speeds:
    """Speeds of the processor in `reference.toml`, for where nothing was calibrated.

    More threads are assumed to be faster by the usual loss.
    """
    faster = scaling(threads / REFERENCE_THREADS)
    told = tomllib.loads(files("dsvm.advise").joinpath("reference.toml").read_text("utf-8"))
    points = {kind: tuple((a, s / faster) for a, s in one) for kind, one in told["points"].items()}
    moving = {kind: each / faster for kind, each in told["moving"].items()}
    return Speeds(points, told["call"], moving, told["fresh"], False)


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
