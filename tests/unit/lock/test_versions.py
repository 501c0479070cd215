"""Debian's order of versions, and the version changes between two locks."""

from __future__ import annotations

from itertools import pairwise

import pytest

from dsvm.lock.changes import Change, diff
from dsvm.lock.debversion import compare
from dsvm.lock.model import Lock, OsPackage, OsTree
from tests.unit.lock.examples import environment, example, wheel

RISING = [
    "1.0~~", "1.0~rc1", "1.0", "1.0-0+b1", "1.0-1", "1.0-1a", "1.0-1+deb12u1", "1.0-1.1", "1.0-9",
    "1.0-10", "1.0a-1", "1.0+dfsg-1", "1.0.1-1", "1.9", "1.10", "2", "1:0.1", "1:1.0-1", "2:0",
]  # fmt: skip


@pytest.mark.parametrize(("older", "newer"), list(pairwise(RISING)))
def test_versions_sort_as_debian_sorts_them(older: str, newer: str) -> None:
    assert compare(older, newer) < 0 < compare(newer, older)
    assert compare(newer, newer) == 0


def deb(name: str, version: str) -> OsPackage:
    return OsPackage(
        name=name,
        version=version,
        architecture="amd64",
        sha256=(name + version).encode().hex().ljust(64, "0")[:64],
        size=1,
        source="debian/trixie",
        path=f"pool/{name}_{version}.deb",
    )


def with_debs(*debs: OsPackage) -> Lock:
    return example(os=OsTree(suite="trixie", roots=("x",), packages=debs))


def test_the_diff_reads_as_version_changes() -> None:
    old = with_debs(deb("a", "1.9"), deb("b", "2:1"), deb("c", "1"), deb("same", "1"))
    new = with_debs(deb("a", "1.10"), deb("b", "1"), deb("d", "1"), deb("same", "1"))
    assert [str(change) for change in diff(old, new)] == [
        "os: a 1.9 -> 1.10 upgraded",
        "os: b 2:1 -> 1 downgraded",
        "os: c 1 removed",
        "os: d 1 added",
    ]


def test_environments_are_told_apart_by_variant() -> None:
    old = example(environments=(environment("base", wheel("numpy", "2.9")),))
    new = example(environments=(environment("base", wheel("numpy", "2.10")),))
    assert diff(old, new) == [Change("env-base-cpu", "numpy", "upgraded", "2.9", "2.10")]
    assert diff(old, old) == []


def test_another_file_of_the_same_version_shows() -> None:
    other = wheel("numpy", "2.9").model_copy(update={"sha256": "f" * 64})
    old = example(environments=(environment("base", wheel("numpy", "2.9")),))
    new = example(environments=(environment("base", other),))
    assert [str(c) for c in diff(old, new)] == ["env-base-cpu: numpy 2.9 is another file"]


def test_a_first_lock_adds_everything() -> None:
    assert [c.kind for c in diff(None, with_debs(deb("a", "1")))] == ["added"]


def test_a_removed_environment_removes_its_packages() -> None:
    old = example(environments=(environment("base", wheel("numpy", "2.9")),))
    assert [str(c) for c in diff(old, example())] == ["env-base-cpu: numpy 2.9 removed"]
