"""The builds of an environment for a CPU and for a GPU: the same versions of the framework."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dsvm.catalog.compose import EnvironmentPlan
from dsvm.errors import DsvmError
from tests.system.lock_lab import Lab, made
from tests.unit.lock.examples import plan, source

SOURCES = (
    source("cpu-index", index="http://127.0.0.1:1/cpu", packages=["tensors"], variants=["cpu"]),
)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with made(tmp_path) as found:
        yield found


def two(**changed: object) -> EnvironmentPlan:
    """One that is asked for the framework, on a GPU with its driver's part."""
    wanted = {"cpu": ("tensors",), "nvidia": ("tensors[gpu]",)}
    return plan("lab", requirements=wanted, **changed)


def test_a_framework_has_one_version_though_the_index_of_one_build_has_newer_ones(
    lab: Lab,
) -> None:
    lab.offer("cpu", "tensors", "2.0+cpu", needs="numbers")
    for version in ("2.0", "3.0"):
        lab.offer("pypi", "tensors", version, needs="numbers")
    for version in ("1.5", "1.6"):
        lab.offer("pypi", "numbers", version)
    lab.overrides = {"cpu-index": lab.server.url("cpu/simple")}
    found = lab.both(two(sources=SOURCES))

    assert found == {
        "cpu": {"tensors": "2.0+cpu", "numbers": "1.6"},
        "nvidia": {"tensors": "2.0", "numbers": "1.6"},
    }


def test_where_only_the_other_build_is_behind_the_first_one_follows(lab: Lab) -> None:
    for version in ("2.0", "3.0"):
        lab.offer("pypi", "tensors", version)
    lab.offer("pypi", "tensors_gpu", "2.0", needs="tensors==2.0")
    wanted = {"cpu": ("tensors",), "nvidia": ("tensors", "tensors-gpu")}
    found = lab.both(plan("lab", requirements=wanted))

    assert found["cpu"] == {"tensors": "2.0"}
    assert found["nvidia"] == {"tensors": "2.0", "tensors-gpu": "2.0"}


def test_versions_that_cannot_be_the_same_are_told(lab: Lab) -> None:
    lab.offer("cpu", "tensors", "2.0+cpu")
    lab.offer("pypi", "tensors", "3.0")
    lab.overrides = {"cpu-index": lab.server.url("cpu/simple")}
    wanted = {"cpu": ("tensors",), "nvidia": ("tensors>=3",)}
    with pytest.raises(DsvmError) as failed:
        lab.both(plan("lab", requirements=wanted, sources=SOURCES))

    assert "for cpu and nvidia cannot have the same versions" in failed.value.what
    assert failed.value.cause == "tensors is 2.0 for cpu, 3.0 for nvidia"
    assert failed.value.remedy


def test_what_only_one_build_is_asked_for_is_its_own(lab: Lab) -> None:
    lab.offer("pypi", "boosting_cpu", "1.0")
    lab.offer("pypi", "boosting", "2.0")
    wanted = {"cpu": ("boosting-cpu",), "nvidia": ("boosting",)}
    found = lab.both(plan("lab", requirements=wanted))

    assert found == {"cpu": {"boosting-cpu": "1.0"}, "nvidia": {"boosting": "2.0"}}
