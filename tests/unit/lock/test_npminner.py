"""Packages inside of packages: found in the tarball around them, at their places in the tree."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from dsvm.errors import DsvmError
from dsvm.lock.model import LockedNpm, NpmPackage
from dsvm.lock.npminner import all_entries, inner_entries
from dsvm.store import Store

FOLDER = "node_modules/editor/lib/inner"
INNER = {"": {"dependencies": {"pty": "1"}}, "node_modules/pty": {"bin": {"pty": "cli.js"}}}


def package(store: Store, path: str, files: dict[str, Any]) -> NpmPackage:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    data = buffer.getvalue()
    name = path.rpartition("node_modules/")[2]
    integrity = hashlib.sha512(data).hexdigest()
    return NpmPackage(
        path=path, name=name, version="1.0.0", integrity=integrity, sha256=store.put(data), size=1
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_the_lock_is_read_from_the_package_around_it(store: Store) -> None:
    lock = {"packages": INNER}
    editor = package(store, "node_modules/editor", {"lib/inner/npm-shrinkwrap.json": lock})
    other = package(store, "node_modules/edit", {"x": b""})

    assert inner_entries(FOLDER, [other, editor], "vscode", store) == INNER


def test_its_places_lie_in_the_folder(store: Store) -> None:
    lock = {"packages": INNER}
    editor = package(store, "node_modules/editor", {"lib/inner/package-lock.json": lock})
    pty = package(store, f"{FOLDER}/node_modules/pty", {"cli.js": b""})
    outer = {"packages": {"": {}, "node_modules/editor": {"version": "1.0.0"}}}
    locked = LockedNpm(
        tool="vscode",
        requirements={"editor": "1"},
        packages=(editor, pty),
        package_lock=json.dumps(outer),
        inner=(FOLDER,),
    )

    found = all_entries(locked, store)

    assert found[f"{FOLDER}/node_modules/pty"] == INNER["node_modules/pty"]
    assert found["node_modules/editor"] == {"version": "1.0.0"}


@pytest.mark.parametrize(
    ("folder", "files", "cause"),
    [
        ("node_modules/nobody", {}, "no package lies there"),
        (FOLDER, {"npm-shrinkwrap.json": {"packages": {}}}, "editor 1.0.0 has no lib/inner/npm"),
        (FOLDER, {"lib/inner/npm-shrinkwrap.json": b"{"}, "its lock cannot be read"),
        (FOLDER, {"lib/inner/npm-shrinkwrap.json": {"v": 1}}, "its lock cannot be read"),
    ],
)
def test_a_folder_without_a_lock_is_named(
    store: Store, folder: str, files: dict[str, Any], cause: str
) -> None:
    editor = package(store, "node_modules/editor", files)

    with pytest.raises(DsvmError) as unknown:
        inner_entries(folder, [editor], "vscode", store)

    assert cause in str(unknown.value.cause)
    assert "[npm]" in str(unknown.value.remedy)
