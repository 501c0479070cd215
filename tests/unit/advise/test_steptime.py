"""Speeds between the sizes at which they are known."""

from __future__ import annotations

import pytest

from dsvm.advise.counts import Work
from dsvm.advise.gpus import load_gpus
from dsvm.advise.steptime import calibrated, reference

SPEEDS = calibrated([("gemm", 1e6, 1e-3), ("gemm", 1e8, 1e-2), ("elementwise", 1e6, 1e-3)], 1e-5)


def seconds(kind: str, flops: int, moved: int = 0) -> float:
    return SPEEDS.seconds(Work(kind, flops, moved))


def test_at_a_known_size_it_takes_what_was_measured() -> None:
    assert seconds("gemm", 10**6) == pytest.approx(1e-3)
    assert seconds("gemm", 10**8) == pytest.approx(1e-2)


def test_between_them_the_speed_is_interpolated() -> None:
    assert 1e-3 < seconds("gemm", 10**7) < 1e-2


def test_beyond_them_the_last_speed_holds() -> None:
    assert seconds("gemm", 10**9) == pytest.approx(1e-1)


def test_a_call_is_never_shorter_than_a_call() -> None:
    assert seconds("elementwise", 0, 8) == 1e-5


def test_an_unmeasured_class_runs_as_its_kin() -> None:
    assert seconds("gemm half", 10**6) == seconds("gemm", 10**6)
    assert seconds("norm", 0, 10**6) == seconds("elementwise", 0, 10**6)


def test_the_reference_knows_every_class_that_has_no_kin() -> None:
    speeds = reference()

    assert not speeds.calibrated
    for kind in ("gemm", "convolution", "depthwise", "attention", "rnn", "elementwise"):
        assert speeds.seconds(Work(kind, 10**9, 10**6)) > 0


def test_a_faster_gpu_is_faster() -> None:
    known = load_gpus()
    work = Work("gemm half", 10**13, 10**9)

    taken = [known.seconds(known.by_name[name], work) for name in ("T4", "A100", "H100")]

    assert taken == sorted(taken, reverse=True)
