"""R packages from a repository: locked, built in a sandbox with C, and loaded from their layer."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dsvm.build import r_library
from dsvm.build.package_set import PackageSet
from dsvm.build.sandbox import Sandbox
from dsvm.build.tools_tree import ToolsTree
from dsvm.catalog import load_catalog
from dsvm.catalog.origins import CranNeed
from dsvm.home import Home
from dsvm.lock import fetch_all
from dsvm.lock.cran import BUILD_ROOTS, lock_cran
from dsvm.lock.model import LockedCran
from dsvm.lock.trees import Trees
from dsvm.store import Store
from tests.system.cran_support import repository
from tests.system.lock_support import serving
from tests.unit.lock.examples import example


@pytest.fixture(scope="module")
def trees(home: Home) -> Trees:
    return Trees(load_catalog().bases, {}, home, at_once=False)


@pytest.fixture(scope="module")
def locked(home: Home, trees: Trees, tmp_path_factory: pytest.TempPathFactory) -> LockedCran:
    """Both packages of a repository that is gone by now, with the R that builds them."""
    web = tmp_path_factory.mktemp("cran")
    repository(web)
    tree = trees.builder(load_catalog().bases["debian-13"], BUILD_ROOTS, {})
    with serving(web) as server:
        need = CranNeed(repository=server.url(""), packages=["dsvmAnswer"])
        return lock_cran("answers", need, {}, tree, home)


@pytest.fixture(scope="module")
def tools(home: Home, trees: Trees, locked: LockedCran) -> ToolsTree:
    tree = trees.tools({})
    fetch_all(example(tools_tree=tree, cran=(locked,), os=locked.tree), home)
    return ToolsTree.of(tree, Store(home.store), home)


def test_a_package_in_c_is_built_and_computes_from_the_layer(
    home: Home, locked: LockedCran, tools: ToolsTree, tmp_path: Path
) -> None:
    store, log = Store(home.store), tmp_path / "log"
    layer = r_library.build_library(locked, tools, store, home, log)
    place = f"/opt/dsvm/apps/{locked.tool}"

    with mounted(store.get(layer), tmp_path) as tree:
        system = PackageSet(locked.tree.packages).unpacked(store, home, log)
        environment = {"LD_LIBRARY_PATH": r_library.CHOSEN, "R_LIBS": f"{place}/library"}
        read = {place: tree, **r_library.finished(system, tmp_path)}
        sandbox = Sandbox(system, read=read, environment=environment)
        said = sandbox.run(["/usr/bin/Rscript", "-e", "cat(dsvmAnswer::answer())"], log=log)

    assert said == "42"


def test_the_same_packages_give_the_same_bytes(
    home: Home, locked: LockedCran, tools: ToolsTree, tmp_path: Path
) -> None:
    store = Store(home.store)

    digests = {
        r_library.build_library(locked, tools, store, home, tmp_path / "log") for _ in range(2)
    }

    assert len(digests) == 1


@contextmanager
def mounted(layer: Path, folder: Path) -> Iterator[Path]:
    point = folder / "layer"
    point.mkdir()
    subprocess.run(["mount", "-o", "loop,ro", "-t", "erofs", layer, point], check=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", point], check=True)
