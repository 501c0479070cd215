"""Reading packages, choosing those that are needed, unpacking them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dsvm.build import debs
from dsvm.build.package_set import PackageSet
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.store import Store
from tests.unit.build.examples import lock, locked, make_deb


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home" / "store")


@pytest.fixture
def packages(store: Store, tmp_path: Path) -> list[debs.Deb]:
    """`app` needs `runtime` (by a name it provides) and one of two; `other` is beside them."""
    made = {
        "app": make_deb(tmp_path, "app", depends="virtual-runtime:any (>= 1), first | second"),
        "runtime": make_deb(tmp_path, "runtime", provides="virtual-runtime (= 1)"),
        "second": make_deb(tmp_path, "second"),
        "other": make_deb(tmp_path, "other", depends="app"),
    }
    found = [locked(store, deb, name) for name, deb in made.items()]
    return [debs.read(package, store.get(package.sha256)) for package in found]


def test_what_is_needed_follows_virtual_packages_and_alternatives(
    packages: list[debs.Deb],
) -> None:
    needed = debs.closure(["app"], packages)
    assert [deb.package.name for deb in needed] == ["app", "runtime", "second"]


def test_a_file_that_is_no_package_is_named(store: Store, tmp_path: Path) -> None:
    (tmp_path / "fake.deb").write_bytes(b"!<arch>\nnot really")
    package = locked(store, tmp_path / "fake.deb", "fake")

    with pytest.raises(DsvmError) as fault:
        debs.read(package, store.get(package.sha256))

    assert "`fake 1.0-1`" in fault.value.what


def test_a_repository_lists_each_file_with_its_digest(
    packages: list[debs.Deb], tmp_path: Path
) -> None:
    debs.repository(packages, "trixie", tmp_path / "repository")

    index = (tmp_path / "repository" / "Packages").read_text()
    assert index.count("\n\n") == len(packages) - 1
    for deb in packages:
        assert f"SHA256: {deb.package.sha256}\n" in index
    assert "Description: an example\n of several\n .\n lines\n" in index
    assert "Codename: trixie" in (tmp_path / "repository" / "Release").read_text()


def test_unpacking_keeps_the_links_of_merged_usr_and_ignores_the_umask(
    store: Store, tmp_path: Path
) -> None:
    made = make_deb(tmp_path, "old", files={"lib/module.so": "x", "bin/tool": "y"})
    package = locked(store, made, "old")
    before = os.umask(0o077)
    try:
        deb = debs.read(package, store.get(package.sha256))
        debs.unpack([deb], tmp_path / "tree", log=tmp_path / "log")
    finally:
        os.umask(before)

    assert (tmp_path / "tree" / "lib").readlink() == Path("usr/lib")
    assert (tmp_path / "tree" / "usr/lib/module.so").read_text() == "x"
    assert (tmp_path / "tree" / "usr/bin/tool").stat().st_mode & 0o777 == 0o644


def test_what_a_set_holds_is_known_without_its_files_once_it_was_read(
    store: Store, packages: list[debs.Deb], tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")
    tree = lock(*(deb.package for deb in packages)).os
    before = PackageSet.of(tree, ["app"], store, home)
    for deb in packages:
        store.discard(deb.package.sha256)

    after = PackageSet.of(tree, ["app"], store, home)

    assert after == before
    assert {package.name for package in after.packages} == {"app", "runtime", "second"}
