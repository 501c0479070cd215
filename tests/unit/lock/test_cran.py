"""R packages are resolved from a repository's index and locked by the digests of their files."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsvm.catalog.origins import CranNeed
from dsvm.errors import DsvmError
from dsvm.fetch import FetchFailed
from dsvm.home import Home
from dsvm.lock import fetch_all
from dsvm.lock.cran import closure, lock_cran, read_index, yesterday
from dsvm.lock.model import LockedCran, OsTree
from dsvm.store import Store
from tests.system.cran_support import repository
from tests.system.lock_support import Server, serving
from tests.unit.lock.examples import example

TREE = OsTree(suite="trixie", roots=(), packages=())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A repository with dated snapshots, as Posit's; only yesterday's is there."""
    repository(tmp_path / "web" / "cran" / yesterday())
    with serving(tmp_path / "web") as found:
        yield found


def lock(server: Server, home: Home, *packages: str, **sources: str) -> LockedCran:
    address = server.url("cran/{snapshot}")
    need = CranNeed(repository=address, packages=list(packages or ["dsvmAnswer"]))
    return lock_cran("rattle", need, sources, TREE, home)


def test_what_a_package_needs_is_built_before_it(server: Server, tmp_path: Path) -> None:
    locked = lock(server, Home(tmp_path / "home"))

    assert [(one.name, one.version, one.needs) for one in locked.packages] == [
        ("dsvmTwice", "1.10-1", ()),
        ("dsvmAnswer", "0.1", ("dsvmTwice",)),
    ]
    assert locked.snapshot == yesterday()
    file = tmp_path / "web" / "cran" / yesterday() / locked.packages[1].path
    assert locked.packages[1].sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_locked_files_are_fetched_by_their_digests(server: Server, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    locked = lock(server, home)
    store = Store(home.store)
    for package in locked.packages:
        store.discard(package.sha256)

    fetch_all(example(cran=(locked,)), home)

    assert all(store.has(package.sha256) for package in locked.packages)


def test_a_file_that_is_no_longer_the_newest_is_found_in_the_archive(
    server: Server, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")
    locked = lock(server, home)
    store, contrib = Store(home.store), tmp_path / "web" / "cran" / yesterday() / "src/contrib"
    store.discard(locked.packages[1].sha256)
    (contrib / "Archive" / "dsvmAnswer").mkdir(parents=True)
    file = contrib / "dsvmAnswer_0.1.tar.gz"
    file.rename(contrib / "Archive" / "dsvmAnswer" / file.name)

    fetch_all(example(cran=(locked,)), home)

    assert store.has(locked.packages[1].sha256)


def test_a_source_of_the_definition_stands_in_for_the_tools(server: Server, tmp_path: Path) -> None:
    repository(tmp_path / "web" / "own")
    need = CranNeed(repository="http://127.0.0.1:1/cran", packages=["dsvmTwice"])

    locked = lock_cran("rattle", need, {"cran": server.url("own")}, TREE, Home(tmp_path / "home"))

    assert [one.name for one in locked.packages] == ["dsvmTwice"]
    assert locked.repository == "http://127.0.0.1:1/cran"


def test_a_repository_that_is_not_reached_is_told_as_that(tmp_path: Path) -> None:
    need = CranNeed(repository="http://127.0.0.1:1/cran", packages=["dsvmTwice"])

    with pytest.raises(FetchFailed):
        lock_cran("rattle", need, {}, TREE, Home(tmp_path / "home"))


def test_a_package_that_the_repository_lacks_is_named_with_who_needs_it() -> None:
    index = read_index("Package: a\nVersion: 1\nImports: missing (>= 2), stats\n")

    with pytest.raises(DsvmError, match="`missing` is not in the repository") as lost:
        closure(index, ["a"])
    assert lost.value.cause == "`a` needs it"


def test_a_version_that_is_too_old_is_told() -> None:
    index = read_index(
        "Package: a\nVersion: 1\nDepends: R (>= 4.0.0)\nLinkingTo: b (>= 1.10)\n\n"
        "Package: b\nVersion: 1.9-9\n"
    )

    with pytest.raises(DsvmError, match=r"`b` is 1\.9-9 in the repository") as old:
        closure(index, ["a"])
    assert old.value.cause == "`a` needs it >= 1.10"


def test_packages_that_need_each_other_in_a_circle_are_refused() -> None:
    index = read_index("Package: a\nVersion: 1\nImports: b\n\nPackage: b\nVersion: 1\nImports: a\n")

    with pytest.raises(DsvmError, match="in a circle"):
        closure(index, ["a"])


def test_a_file_that_the_index_does_not_mean_is_refused(server: Server, tmp_path: Path) -> None:
    contrib = tmp_path / "web" / "cran" / yesterday() / "src" / "contrib"
    (contrib / "dsvmTwice_1.10-1.tar.gz").write_bytes(gzip.compress(b"something else"))
    home = Home(tmp_path / "home")

    with pytest.raises(DsvmError, match="is not the file that its repository's index names"):
        lock(server, home, "dsvmTwice")
