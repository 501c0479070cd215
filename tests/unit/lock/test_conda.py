"""Environments out of a conda channel: solved, locked by digest, laid out as if in the machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsvm.build.conda_environment import lay_out
from dsvm.catalog.origins import CondaNeed
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.lock import fetch_all
from dsvm.lock.conda import PLATFORMS, lock_conda
from dsvm.lock.model import LockedConda
from dsvm.lock.reached import NotReached
from dsvm.lock.trees import architecture
from dsvm.store import Store
from tests.system.conda_support import channel
from tests.system.lock_support import Server, serving
from tests.unit.lock.examples import example


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    channel(tmp_path / "web" / "forge", PLATFORMS[architecture()])
    with serving(tmp_path / "web") as found:
        yield found


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def lock(root: str, home: Home, *packages: str, glibc: str = "2.41", **sources: str) -> LockedConda:
    need = CondaNeed(
        environment="conda", channels=[f"{root}/forge"], packages=list(packages or ["say"])
    )
    return lock_conda("conda", need, sources, glibc, architecture(), home)


def test_an_environment_is_solved_and_locked_by_digest(server: Server, home: Home) -> None:
    locked = lock(server.url("").rstrip("/"), home)

    assert [(one.name, one.version, one.noarch) for one in locked.packages] == [
        ("say", "3.1", None),
        ("words", "1.2", "generic"),
    ]
    assert [one.path.split("/")[0] for one in locked.packages] == [
        PLATFORMS[architecture()],
        "noarch",
    ]
    assert not locked.kernel


def test_it_is_laid_out_as_if_it_lay_in_the_machine(
    server: Server, home: Home, tmp_path: Path
) -> None:
    locked = lock(server.url("").rstrip("/"), home)
    fetch_all(example(conda=(locked,)), home)
    trees = []
    for number in range(2):
        scratch = tmp_path / f"scratch-{number}"
        (scratch / "tree").mkdir(parents=True)
        lay_out(locked, scratch / "tree", Store(home.store), scratch)
        trees.append(scratch / "tree")

    script = (trees[0] / "bin" / "say").read_text()
    assert "/opt/dsvm/envs/conda/share/words/words.sh" in script
    files = {path.relative_to(trees[0]) for path in trees[0].rglob("*") if path.is_file()}
    assert all((trees[0] / one).read_bytes() == (trees[1] / one).read_bytes() for one in files)
    assert not [one for one in files if str(tmp_path) in (trees[0] / one).read_text()]
    note = json.loads(next(trees[0].glob("conda-meta/say-*.json")).read_text())
    assert note["url"] == f"{locked.packages[0].channel}/{locked.packages[0].path}"


def test_a_source_of_the_definition_stands_in_for_the_channels_host(
    server: Server, home: Home
) -> None:
    root = server.url("").rstrip("/")

    locked = lock("https://conda.example", home, conda=root)

    assert {one.channel for one in locked.packages} == {"https://conda.example/forge"}
    fetch_all(example(conda=(locked,)), home, sources={"conda": root})
    assert all(Store(home.store).has(one.sha256) for one in locked.packages)


def test_a_channel_that_is_not_reached_is_told_as_that(home: Home) -> None:
    with pytest.raises(NotReached) as told:
        lock("http://ada:secret@127.0.0.1:1", home)

    assert told.value.what.startswith("http://127.0.0.1:1/forge: Connection refused")
    assert "\n" not in told.value.what
    assert "secret" not in told.value.what


def test_what_does_not_go_together_is_an_error_that_says_what(server: Server, home: Home) -> None:
    root = server.url("").rstrip("/")

    with pytest.raises(DsvmError, match="the conda packages of `conda` do not go together") as told:
        lock(root, home, "say", "words <1.1")
    assert "words" in (told.value.cause or "")
    with pytest.raises(DsvmError) as old:
        lock(root, home, glibc="2.12")
    assert "__glibc" in (old.value.cause or "")
