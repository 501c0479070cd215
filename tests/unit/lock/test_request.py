"""When a lock is stale, and what of an old lock stays."""

from __future__ import annotations

from typing import Any

import pytest

from dsvm.catalog.model import SourceOnly
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.lock import make_lock, request_digest
from dsvm.lock.keep import Keep
from dsvm.lock.model import OsTree
from tests.unit.lock.examples import composition, environment, example, plan, source, wheel

LOCKED = example(environments=(environment("lab", wheel("numpy", "2.0"), wheel("scipy", "1.0")),))
PLAN = plan("lab", "numpy", "scipy")
LAKE = SourceOnly(package="lake", files={"lake": "lake"})


@pytest.mark.parametrize(
    "changed",
    [
        {"packages": ("jq",)},
        {"environments": (plan("lab", "numpy"),)},
        {"environments": (plan("lab", "numpy>2"),)},
        {"environments": (plan("lab", "numpy", "scipy", constraints=("numpy<2",)),)},
        {"environments": (plan("lab", "numpy", python="3.11"),)},
        {"environments": (plan("lab", "numpy", "scipy", source_only=(LAKE,)),)},
        {"environments": (plan("lab", "numpy", sources=(source("x", index="https://x"),)),)},
    ],
)
def test_another_request_makes_the_lock_stale(changed: dict[str, Any]) -> None:
    assert request_digest(composition(**changed)) != request_digest(composition())


def test_another_mirror_does_not_make_the_lock_stale() -> None:
    other = composition(sources={"pypi": "https://user:secret@mirror.lab/simple"})
    assert request_digest(other) == request_digest(composition())


def test_the_machines_own_python_may_be_named_or_not() -> None:
    named = composition(environments=(plan("lab", "numpy", python="3.13"),))
    assert request_digest(named) == request_digest(
        composition(environments=(plan("lab", "numpy"),))
    )


def test_a_lock_that_answers_the_request_is_returned_untouched(tmp_path: Any) -> None:
    asked = composition()
    old = example(request=request_digest(asked))
    assert make_lock(asked, Home(tmp_path / "none"), old=old) is old
    assert not (tmp_path / "none").exists()


def keep(upgrade: frozenset[str] | None, **changed: Any) -> Keep:
    return Keep(LOCKED, upgrade, composition(environments=(PLAN,), **changed))


def test_an_unchanged_environment_stays_whole() -> None:
    assert keep(frozenset()).environment(PLAN, "cpu", "3.13") == LOCKED.environments[0]


@pytest.mark.parametrize(
    ("changed", "python"),
    [
        (plan("lab", "numpy"), "3.13"),
        (PLAN, "3.11"),
        (plan("lab", "numpy", "scipy", source_only=(LAKE,)), "3.13"),
    ],
)
def test_a_changed_environment_keeps_only_its_pins(changed: Any, python: str) -> None:
    kept = keep(frozenset())
    assert kept.environment(changed, "cpu", python) is None
    assert kept.environment_pins(changed, "cpu") == LOCKED.environments[0].packages


def test_an_environment_whose_source_is_gone_is_resolved_anew() -> None:
    moved = plan("lab", "numpy", "scipy", sources=(source("other", index="https://x"),))
    assert keep(frozenset()).environment(moved, "cpu", "3.13") is None


def test_upgrading_a_package_lets_only_it_move() -> None:
    kept = keep(frozenset({"numpy"}))
    assert kept.environment(PLAN, "cpu", "3.13") is None
    assert [pin.name for pin in kept.environment_pins(PLAN, "cpu")] == ["scipy"]


@pytest.mark.parametrize("upgrade", [None, frozenset({"lab"})])
def test_upgrading_an_environment_lets_all_of_it_move(upgrade: frozenset[str] | None) -> None:
    assert keep(upgrade).environment_pins(PLAN, "cpu") == ()
    assert keep(upgrade).looks_for_new


def test_upgrading_what_is_not_there_is_refused() -> None:
    with pytest.raises(DsvmError, match="nothing here is called `nunpy`"):
        keep(frozenset({"nunpy"}))


def test_another_suite_has_no_pins() -> None:
    tree = OsTree(suite="bookworm", roots=(), packages=())
    old = Keep(example(os=tree), frozenset(), composition())
    assert old.os("trixie", ()) is None
    assert old.os_pins("trixie") == {}
