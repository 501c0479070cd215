"""From how a check's program ended to what the report says of it."""

from __future__ import annotations

from typing import Any

import pytest

from dsvm.verify.outcome import Ended, failure, judge, measurements

TRACEBACK = """warning: something else
Traceback (most recent call last):
  File "/check.py", line 3, in <module>
    assert accuracy > 0.95, "accuracy 0.100"
           ^^^^^^^^^^^^^^^
AssertionError: accuracy 0.100
"""
CHAIN = """Traceback (most recent call last):
  File "a.py", line 1, in <module>
ImportError: libopenblas.so: cannot open shared object file

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "b.py", line 1, in <module>
ImportError:
    Importing numpy failed.
Original error was: libopenblas.so: cannot open shared object file
"""


def ended(status: int = 0, out: str = "", err: str = "", **more: bool) -> dict[str, Any]:
    dead = {"timed_out": False, "out_of_memory": False, **more}
    return {"status": status, "stdout": out, "stderr": err, "seconds": 1.0, **dead}


def judged(told: dict[str, Any], variant: str | None = "cpu") -> Ended:
    return judge(told, timeout_s=60, variant=variant)


def test_exit_0_passes_and_its_last_line_is_measured() -> None:
    out = 'noise\n{"accuracy": 0.97, "device": "cpu", "versions": {"R": 4.5}}\n'

    assert judged(ended(out=out)) == Ended("passed", None, "cpu", {"R": "4.5"}, {"accuracy": 0.97})


def test_exit_77_is_not_tested_with_its_reason() -> None:
    assert judged(ended(77, "looking\nno GPU\n")) == Ended("not_tested", "no GPU")


def test_not_tested_without_a_word_says_so() -> None:
    assert judged(ended(77)).reason == "the check gave no reason"


@pytest.mark.parametrize("out", ["", "no json", "[1]", "7", '{"half": '])
def test_a_last_line_that_is_no_object_measures_nothing(out: str) -> None:
    assert measurements(out) == {}


def test_of_a_traceback_only_the_exception_is_told() -> None:
    assert judged(ended(1, err=TRACEBACK)).reason == "accuracy 0.100"


def test_a_chain_of_exceptions_keeps_the_last_whole() -> None:
    reason = failure(CHAIN)

    assert reason.startswith("ImportError:")
    assert "libopenblas.so" in reason


def test_noise_of_r_is_left_out() -> None:
    assert failure("Error: R uses the BLAS x\nExecution halted\n") == "Error: R uses the BLAS x"


def test_a_long_reason_keeps_its_end() -> None:
    reason = failure("x" * 9000 + " the cause")

    assert reason.endswith("the cause")
    assert len(reason) < 1300


def test_a_silent_failure_tells_its_status() -> None:
    assert judged(ended(4)).reason == "it ended with status 4 and said nothing"


def test_a_signal_is_named() -> None:
    told = judged(ended(-11, err="loading\n"))

    assert (told.outcome, told.reason) == ("failed", "died by SIGSEGV; it said: loading")


def test_running_out_of_memory_is_named() -> None:
    assert "ran out of memory" in str(judged(ended(-9, out_of_memory=True)).reason)


def test_a_time_limit_is_named() -> None:
    assert judged(ended(-9, timed_out=True)).reason == "did not end within 60 s"


def test_the_nvidia_build_on_the_cpu_is_a_failure() -> None:
    told = judged(ended(out='{"device": "cpu"}'), "nvidia")

    assert told.outcome == "failed"
    assert "CPU" in str(told.reason)


def test_cuda_is_shown_as_nvidia() -> None:
    assert judged(ended(out='{"device": "cuda:0"}'), "nvidia").device == "nvidia"
