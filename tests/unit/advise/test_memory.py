"""Memory by part, from a trace made by hand."""

from __future__ import annotations

import pytest

from dsvm.advise.memory import Bounds, Runtime, cpu_memory, cuda_memory
from dsvm.advise.trace import Trace, read_trace
from dsvm.errors import DsvmError

MIB = 1024**2
T = ["t", [512, 512], "float32", "c"]


def told(**more: object) -> dict[str, object]:
    """4 MiB of parameters; two steps with 8 MiB of activations, and gradients of 4 MiB."""
    events: list[list[object]] = [[3, "build"], [0, 0, 4 * MIB]]
    number = 1
    for _ in range(2):
        events += [[3, "batch"], [3, "forward"], [2, 0], [0, number, 8 * MIB], [3, "backward"]]
        events += [[0, number + 1, 4 * MIB], [1, number], [3, "optimizer"], [1, number + 1]]
        number += 2
    return {
        "ok": True,
        "torch": "2.13.0",
        "threads": 2,
        "parameters": MIB,
        "trained": MIB,
        "parameter_bytes": 4 * MIB,
        "seconds": 1.0,
        "events": events,
        "operations": [["aten.relu.default", [T], [], [T]]],
        "parts": {"0": "parameters", "2": "gradients", "4": "gradients"},
        **more,
    }


@pytest.fixture
def trace() -> Trace:
    return read_trace(told(), inference=False)


def test_the_peak_is_told_by_part(trace: Trace) -> None:
    found = cpu_memory(trace, Runtime(heap=MIB), Bounds())

    assert found.expected == 17 * MIB
    assert found.parts == {
        "parameters": 4 * MIB,
        "gradients": 4 * MIB,
        "optimizer": 0,
        "activations": 8 * MIB,
        "scratch": 0,
        "runtime": MIB,
    }


def test_each_figure_is_larger_than_the_one_before(trace: Trace) -> None:
    found = cpu_memory(trace, Runtime(MIB, 2 * MIB, 100 * MIB), Bounds())

    assert found.expected < found.upper
    assert found.expected <= found.process_expected < found.process_upper < found.machine


def test_the_curve_ends_at_the_peak_of_the_parts(trace: Trace) -> None:
    found = cpu_memory(trace, Runtime(), Bounds())

    assert max(point.total for point in found.curve) == found.expected
    assert {point.phase for point in found.curve} == {"build", "forward", "backward"}


def test_a_gpu_reserves_more_than_is_allocated(trace: Trace) -> None:
    found = cuda_memory(trace, Runtime())

    assert found.process_expected > found.expected >= 16 * MIB


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("shape", "the batch does not fit the model"),
        ("raised", "the job fails before any memory is counted"),
        ("config", "this configuration is not known"),
        ("data", "this job cannot be followed without running it"),
    ],
)
def test_what_fails_is_an_answer(kind: str, what: str) -> None:
    failed = {"ok": False, "kind": kind, "text": "the reason", "where": "job.py:3   x = y"}

    with pytest.raises(DsvmError) as error:
        read_trace(failed, inference=False)

    assert error.value.what == what
    assert error.value.cause == "the reason"
    assert error.value.where == ("job.py:3   x = y",)
