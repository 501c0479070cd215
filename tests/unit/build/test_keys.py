"""A layer's key holds what it depends on, and no more."""

from __future__ import annotations

from pathlib import Path

from dsvm.build.environment import Pythons, environment_key
from dsvm.build.os_tree import os_key
from dsvm.build.package_set import PackageSet
from dsvm.catalog import load_catalog
from dsvm.lock.model import OsPackage, OsTree
from tests.unit.build.examples import environment, wheel

BASE = load_catalog().bases["debian-13"]


def package(name: str, content: str = "") -> OsPackage:
    return OsPackage(
        name=name,
        version="1",
        architecture="amd64",
        sha256=(content or name).encode().hex().ljust(64, "0"),
        size=1,
        source="debian/trixie",
        path=name,
    )


PYTHON = Pythons(PackageSet((package("python3"),)), {})


def test_an_environment_depends_on_its_wheels_python_and_tools_only() -> None:
    one = environment("churn", wheel("polars", "a"))
    key = environment_key(one, PYTHON, "tools")

    assert environment_key(one, PYTHON, "tools") == key
    changed_python = Pythons(PackageSet((package("python3", "newer"),)), {})
    assert environment_key(one, changed_python, "tools") != key
    assert environment_key(one, PYTHON, "other tools") != key
    assert environment_key(environment("churn", wheel("polars", "b")), PYTHON, "tools") != key


def test_an_environment_does_not_depend_on_where_its_wheels_came_from() -> None:
    one = environment("churn", wheel("polars", "a"))
    moved = one.model_copy(update={"source": "mirror", "why": "asked", "requirements": ("polars",)})

    assert environment_key(moved, PYTHON, "tools") == environment_key(one, PYTHON, "tools")


def test_the_os_tree_depends_on_packages_in_any_order_and_not_on_dates() -> None:
    tree = OsTree(suite="trixie", roots=("a",), packages=(package("a"), package("b")))
    other = tree.model_copy(update={"packages": tree.packages[::-1], "dated": {"x": "y"}})
    more = tree.model_copy(update={"packages": (*tree.packages, package("c"))})

    assert os_key(other, BASE) == os_key(tree, BASE)
    assert os_key(more, BASE) != os_key(tree, BASE)


def test_every_file_named_as_source_exists() -> None:
    from dsvm.build import apps, disk, environment, interpreter, keys, os_tree, package_set

    for module in (apps, disk, environment, interpreter, os_tree, package_set):
        assert len(keys.source_digest(*module.SOURCES)) == 64
        assert Path(str(module.__file__)).name in module.SOURCES
