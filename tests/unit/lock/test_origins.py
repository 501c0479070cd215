"""A tool of several origins is made from the first that is reached, and the lock says why."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from dsvm.catalog import load_catalog
from dsvm.catalog.model import Base, Tool
from dsvm.catalog.origins import ArtifactNeed, DebsNeed, Origin
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.lock import fetch_all, request_digest
from dsvm.lock.fetching import OtherArtifact
from dsvm.lock.keep import Keep
from dsvm.lock.model import OsTree
from dsvm.lock.origins import Origins, Taken
from dsvm.store import Store
from tests.system.lock_support import Server, no_builder, serving
from tests.unit.lock.examples import composition, example

DEBS = Origin(debs=DebsNeed(base="debian-11", packages=["julia"]))


@dataclass
class Lab:
    web: Path
    server: Server
    home: Home

    def lock(self, *origins: Origin, old: Taken | None = None) -> Taken:
        bases = load_catalog().bases
        origins_of = Origins(self.home, bases, tree, no_builder, bases["debian-13"])
        return origins_of.lock(tool(*origins), old or Taken())

    def artifact(self, name: str, *mirrors: str) -> Origin:
        addresses = [self.server.url(mirror) for mirror in mirrors]
        return Origin(artifact=ArtifactNeed(url=self.server.url(name), mirrors=addresses))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "editor.tar.gz").write_bytes(b"the editor")
    with serving(tmp_path / "web") as server:
        yield Lab(tmp_path / "web", server, Home(tmp_path / "home"))


def tool(*origins: Origin) -> Tool:
    known = load_catalog().tools["git"]
    return known.model_copy(update={"name": "editor", "several": list(origins)})


def tree(base: Base, packages: Sequence[str]) -> OsTree:
    return OsTree(suite=base.suite, roots=tuple(packages), packages=())


def test_an_artifact_is_locked_by_what_its_maker_serves(lab: Lab) -> None:
    locked = lab.lock(lab.artifact("editor.tar.gz")).artifact

    assert locked
    assert (locked.size, locked.url) == (10, lab.server.url("editor.tar.gz"))
    assert Store(lab.home.store).get(locked.sha256).read_bytes() == b"the editor"
    Store(lab.home.store).discard(locked.sha256)
    fetch_all(example(artifacts=(locked,)), lab.home)
    assert Store(lab.home.store).has(locked.sha256)


def test_a_mirror_serves_when_the_makers_address_does_not(lab: Lab) -> None:
    found = lab.lock(lab.artifact("gone.tar.gz", "editor.tar.gz"))

    assert found.choice is None
    assert found.artifact
    assert found.artifact.sha256 == hashlib.sha256(b"the editor").hexdigest()
    Store(lab.home.store).discard(found.artifact.sha256)
    fetch_all(example(artifacts=(found.artifact,)), lab.home)
    assert Store(lab.home.store).has(found.artifact.sha256)


def test_the_first_origin_that_is_reached_is_taken_and_told(lab: Lab) -> None:
    gone = lab.server.url("gone.tar.gz")

    first = lab.lock(lab.artifact("editor.tar.gz"), DEBS)
    second = lab.lock(lab.artifact("gone.tar.gz"), DEBS)

    assert (first.debs, second.artifact) == (None, None)
    assert first.choice
    assert first.choice.why == f"{lab.server.url('editor.tar.gz')} was reached"
    assert second.choice
    assert second.choice.origin == "packages of debian-11: julia"
    assert second.choice.why == (f"{gone}: answered 404; packages of debian-11: julia was reached")
    assert second.debs
    assert (second.debs.base, second.debs.tree.suite) == ("debian-11", "bullseye")


def test_a_tool_that_is_not_reached_is_locked_as_that(lab: Lab) -> None:
    found = lab.lock(lab.artifact("gone.tar.gz"))

    assert not found.reached
    assert found.choice
    lock = example(choices=(found.choice,))
    assert lock.unreachable == {"editor": f"{lab.server.url('gone.tar.gz')}: answered 404"}


def test_what_is_locked_stays_when_its_maker_is_not_reached_any_more(lab: Lab) -> None:
    wanted = lab.artifact("editor.tar.gz")
    locked = lab.lock(wanted)
    (lab.web / "editor.tar.gz").unlink()

    assert lab.lock(wanted, old=locked) == locked


def test_an_old_lock_keeps_the_origin_that_the_tool_still_names(lab: Lab) -> None:
    named = tool(lab.artifact("gone.tar.gz"), DEBS)
    taken = lab.lock(*named.several)
    old = example(debs=(taken.debs,), choices=(taken.choice,))
    other = DEBS.model_copy(update={"debs": DebsNeed(base="debian-11", packages=["julia-doc"])})

    keep = Keep(old, frozenset(), composition(tools=(named,)))

    assert keep.origin(named) == taken
    assert keep.stays(named)
    assert not keep.origin(tool(other)).reached
    assert not Keep(old, frozenset({"editor"}), composition(tools=(named,))).stays(named)


def test_another_origin_makes_the_lock_stale(lab: Lab) -> None:
    one, two = lab.artifact("editor.tar.gz"), lab.artifact("other.tar.gz")

    digests = {request_digest(composition(tools=(tool(*said),))) for said in ([one], [two], [DEBS])}

    assert len(digests) == 3


def test_an_artifact_that_changed_is_named_with_both_digests(lab: Lab) -> None:
    locked = lab.lock(lab.artifact("editor.tar.gz")).artifact
    assert locked
    Store(lab.home.store).discard(locked.sha256)
    (lab.web / "editor.tar.gz").write_bytes(b"as the maker has it now")

    with pytest.raises(OtherArtifact) as refused:
        fetch_all(example(artifacts=(locked,)), lab.home)

    now = hashlib.sha256(b"as the maker has it now").hexdigest()
    assert refused.value.what == "the artifact of `editor` is not the one that was locked"
    assert locked.sha256 in (refused.value.cause or "")
    assert now in (refused.value.cause or "")
    assert "`dsvm lock --upgrade editor`" in (refused.value.remedy or "")


def test_a_full_disk_is_no_origin_that_is_not_reached(lab: Lab) -> None:
    def full(base: Base, packages: Sequence[str]) -> OsTree:
        raise DsvmError("disk full")

    bases = load_catalog().bases
    origins = Origins(lab.home, bases, full, no_builder, bases["debian-13"])
    with pytest.raises(DsvmError, match="disk full"):
        origins.lock(tool(DEBS), Taken())
