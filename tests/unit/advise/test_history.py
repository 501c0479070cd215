"""What was advised stays beside what runs truly took."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dsvm.advise.history import Advice, Run, Taken, keep_advice, keep_run, last_advice, runs
from dsvm.errors import DsvmError
from dsvm.home import Home

MIB = 1 << 20
NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
ADVICE = Advice(at=NOW, job={"device": "cpu"}, expected=110 * MIB, upper=150 * MIB, step_seconds=1)
TAKEN = Taken(seconds=30, peak=100 * MIB, processes=1, status=0, gpu_peak=220 * MIB, gpu_busy=0.5)


def a_run(advice: Advice | None = ADVICE) -> Run:
    return Run(
        at=NOW, machine="lab", command="python train.py", taken=TAKEN, steps=20, advice=advice
    )


def test_a_run_is_compared_with_what_was_last_advised_in_its_folder(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    keep_advice(home, tmp_path, ADVICE.model_copy(update={"expected": 1}))
    keep_advice(home, tmp_path, ADVICE)
    keep_advice(home, tmp_path / "other", ADVICE.model_copy(update={"expected": 2}))

    assert last_advice(home, tmp_path) == ADVICE
    assert last_advice(home, tmp_path / "nobody") is None


def test_runs_are_kept_in_their_order(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert runs(home) == []
    first, second = a_run(), a_run(None)

    keep_run(home, first)
    keep_run(home, second)

    assert runs(home) == [first, second]


def test_the_error_is_that_of_what_was_expected_by_the_truth() -> None:
    assert a_run().error == pytest.approx(0.1)
    assert a_run().step_seconds == 1.5
    assert a_run(None).error is None


def test_on_a_gpu_its_memory_is_compared() -> None:
    on_gpu = ADVICE.model_copy(update={"job": {"device": "cuda"}})

    assert a_run(on_gpu).error == pytest.approx(-0.5)


def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    home = Home(tmp_path)
    keep_run(home, a_run())
    with (home.advice / "runs.jsonl").open("a") as file:
        file.write("{\n")

    with pytest.raises(DsvmError, match=r"runs\.jsonl cannot be read"):
        runs(home)
