"""Speeds between the sizes at which they are known."""

from __future__ import annotations

import pytest

from dsvm.advise.counts import Work
from dsvm.advise.gpus import load_gpus
from dsvm.advise.steptime import FLOPS_KINDS, calibrated, reference, step_time
from dsvm.advise.trace import Trace

CALL = 1e-5


def told(name: str, *shapes: tuple[int, ...]) -> list[object]:
    """An operation as the worker tells it: of tensors of these shapes, the last is its result."""
    *given, result = [["t", list(shape), "float32", "c"] for shape in shapes]
    return [f"aten.{name}.default", given, [], [result]]


def product(m: int, k: int, n: int) -> list[object]:
    return told("mm", (m, k), (k, n), (m, n))


POINTS = [
    [[product(100, 50, 100)], 1e-3],
    [[product(1000, 500, 100)], 1e-2],
    [[told("add", (10**5,), (10**5,), (10**5,))], 1e-3],
]
MEASURED = {"points": POINTS, "bare": 0.0, "call": CALL, "fresh": 1e-9}
SPEEDS = calibrated(MEASURED)


def seconds(kind: str, flops: int, moved: int = 0) -> float:
    return SPEEDS.seconds(Work(kind, flops, moved)) - CALL


def test_at_a_known_size_it_takes_what_was_measured() -> None:
    assert seconds("gemm", 10**6) == pytest.approx(1e-3)
    assert seconds("gemm", 10**8) == pytest.approx(1e-2)


def test_between_them_the_speed_is_interpolated() -> None:
    assert 1e-3 < seconds("gemm", 10**7) < 1e-2


def test_beyond_them_the_last_speed_holds() -> None:
    assert seconds("gemm", 10**9) == pytest.approx(1e-1)


def test_what_does_nothing_costs_a_call() -> None:
    assert seconds("nothing", 0) == 0


def test_an_unmeasured_class_runs_as_its_kin() -> None:
    assert seconds("gemm half", 10**6) == seconds("gemm", 10**6)
    assert seconds("layer norm", 0, 10**6) == seconds("elementwise", 0, 10**6)


def test_what_moves_much_for_what_it_computes_shows_what_moving_costs() -> None:
    """The same product, and one of as many operations that moves a hundred times as much."""
    wide = product(10**5, 5, 1000)
    speeds = calibrated({**MEASURED, "points": [*POINTS, [[wide], 0.6]]})

    compact = speeds.seconds(Work("gemm", 10**9, 10**6))
    moving = speeds.seconds(Work("gemm", 10**9, 4 * (5 * 10**5 + 5000 + 10**8)))

    assert moving == pytest.approx(0.6 + CALL, rel=0.1)
    assert compact < moving / 4


def test_a_step_pays_for_memory_that_is_new_to_the_process() -> None:
    nothing = Trace("2", 2, 0, 0, 0, (), (), {}, 0.0, False)

    assert step_time(nothing, SPEEDS, 10**9).expected == pytest.approx(1.0)


def test_the_reference_knows_every_class_that_has_no_kin() -> None:
    speeds = reference()

    assert not speeds.calibrated
    for kind in ("gemm", "convolution", "depthwise", "attention", "rnn", "elementwise"):
        assert speeds.seconds(Work(kind, 10**9, 10**6)) > 0


def test_the_reference_was_measured_for_every_class_that_computes() -> None:
    """Else floating-point operations would be taken for bytes."""
    ends = ("backward", "backward half")
    never = {f"{kind} {end}" for kind in ("gemm", "largest") for end in ends}

    assert FLOPS_KINDS - set(reference().points) == never


def test_a_faster_gpu_is_faster() -> None:
    known = load_gpus()
    work = Work("gemm half", 10**13, 10**9)

    taken = [known.seconds(known.by_name[name], work) for name in ("T4", "A100", "H100")]

    assert taken == sorted(taken, reverse=True)


def test_every_gpu_has_peaks_and_names_their_source() -> None:
    for name, gpu in load_gpus().by_name.items():
        assert "https://" in gpu.source, name
        assert gpu.half >= gpu.fp32 > 0, name
        assert gpu.bandwidth > 0, name
