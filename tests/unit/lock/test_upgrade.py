"""What an upgrade moves, and what it holds back."""

from __future__ import annotations

from dsvm.catalog import load_catalog
from dsvm.catalog.model import EnvironmentNeed, Tool
from dsvm.lock.keep import Keep
from dsvm.lock.model import Held, Lock, OsPackage, OsTree
from dsvm.lock.upgrade import Newer, newer, touched, without_failing
from tests.unit.lock.examples import composition, environment, example, plan, wheel

GIT = load_catalog().tool("git")


def in_shared(name: str, package: str) -> Tool:
    need = EnvironmentNeed(name="shared", variants={"cpu": [package]})
    return GIT.model_copy(update={"name": name, "apt": [], "environment": need})


NETS, TREES = in_shared("nets", "tensors"), in_shared("trees", "wood>=1")
ALL = composition(
    tools=(GIT, NETS, TREES), environments=(plan("shared", tools=("nets", "trees")), plan("own"))
)


def deb(name: str, version: str) -> OsPackage:
    return OsPackage(
        name=name,
        version=version,
        architecture="amd64",
        sha256=f"{name}{version}",
        size=1,
        source="debian/trixie",
        path=name,
    )


def lock(git: str, tensors: str, below: str = "1", wood: str = "1") -> Lock:
    packages = (deb("git", git), deb("libc6", "2.41"))
    wheels = (wheel("tensors", tensors), wheel("wood", wood), wheel("below", below))
    return example(
        os=OsTree(suite="trixie", roots=("git",), packages=packages),
        environments=(environment("shared", *wheels),),
    )


OLD, NEW = lock("1:2.47", "1.0"), lock("1:2.51", "2.0")


def test_what_the_sources_have_newer_is_told_for_each_tool() -> None:
    assert newer(ALL.tools, OLD, NEW) == [
        Newer("git", "git", "1:2.47", "1:2.51"),
        Newer("nets", "tensors", "1.0", "2.0"),
    ]
    assert newer(ALL.tools, OLD, OLD) == []


def test_a_tool_is_touched_by_its_packages_and_by_all_of_its_environment() -> None:
    def names(new: Lock) -> list[str]:
        return [tool.name for tool in touched(ALL.tools, OLD, new)]

    assert names(OLD) == []
    assert names(lock("1:2.51", "1.0")) == ["git"]
    assert names(lock("1:2.47", "1.0", below="2")) == ["nets", "trees"]


def test_a_failing_tool_holds_its_packages_and_its_environment_and_nothing_else() -> None:
    asked: list[frozenset[str]] = []

    def relock(moving: frozenset[str]) -> Lock:
        asked.append(moving)
        return lock("1:2.51", "1.0")

    found = without_failing(ALL, OLD, NEW, {"nets": "works: no module"}, relock)

    assert asked == [frozenset({"git", "own", "libc6"})]
    assert found.held == (Held(tool="nets", refused={"tensors": "2.0"}, why="works: no module"),)
    assert str(found.held[0]) == "nets is held, for it fails with tensors 2.0: works: no module"


def test_the_names_that_move_are_those_that_the_lock_understands() -> None:
    moving = frozenset({"git", "own", "libc6"})
    keep = Keep(OLD, moving, ALL)

    assert keep.moving_os == moving
    assert {pin.name for pin in keep.environment_pins(ALL.environments[0], "cpu")} == {
        *("tensors", "wood", "below")
    }
    assert Keep(OLD, moving, ALL).stays(NETS)


def test_a_failing_tool_of_the_system_keeps_its_own_packages() -> None:
    asked: list[frozenset[str]] = []

    def relock(moving: frozenset[str]) -> Lock:
        asked.append(moving)
        return OLD

    without_failing(ALL, OLD, NEW, {"git": "commit: no merge"}, relock)

    assert asked == [frozenset({"nets", "trees", "shared", "own", "libc6"})]


def test_nothing_is_held_when_nothing_fails() -> None:
    def relock(moving: frozenset[str]) -> Lock:
        raise AssertionError(moving)

    assert without_failing(ALL, OLD, NEW, {}, relock) is NEW


def test_what_is_held_stays_so_until_it_may_move() -> None:
    held = Held(tool="nets", refused={"tensors": "2.0"}, why="no module")
    old = OLD.model_copy(update={"held": (held,)})

    assert Keep(old, frozenset(), ALL).held == (held,)
    assert Keep(old, frozenset({"git"}), ALL).held == (held,)
    assert Keep(old, frozenset({"nets"}), ALL).held == ()
    assert Keep(old, None, ALL).held == ()
    assert Keep(old, frozenset(), composition(tools=(GIT,))).held == ()
