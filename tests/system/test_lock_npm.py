"""npm registries and makers' addresses that misbehave, against the real lock and fetch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dsvm.errors import DsvmError
from dsvm.fetch import FetchFailed, Limits
from dsvm.home import Home
from dsvm.lock import fetch_all
from dsvm.lock.model import LockedNpm
from dsvm.lock.npm import fetch_npm, lock_npm
from dsvm.lock.origins import TRIES
from tests.system.faulty import WAYS, faulty
from tests.system.lock_support import (
    Server,
    artifact_tool,
    lock_origin,
    npm_package,
    npm_tool,
    serving,
)
from tests.unit.lock.examples import example

DOWN = "http://127.0.0.1:1/"
QUICK = Limits(tries=2, pause_s=0.01, silence_s=1, window_s=0.5)
needs_npm = pytest.mark.skipif(not shutil.which("npm"), reason="this host has no npm")


@dataclass
class Registry:
    """A small npm registry that can be spoilt, and a home that locks from it."""

    web: Path
    server: Server
    home: Home

    @property
    def sources(self) -> dict[str, str]:
        return {"npm": self.server.url("npm/")}

    @property
    def packument(self) -> Path:
        return self.web / "npm" / "editor"

    def lock(self) -> LockedNpm:
        return lock_npm(npm_tool(editor="1"), None, self.sources, self.home)

    def forget(self) -> None:
        """As if nothing had ever been fetched."""
        shutil.rmtree(self.home.cache / "npm")
        for blob in (self.home.store / "blobs").rglob("*"):
            if blob.is_file():
                blob.unlink()

    def blobs(self) -> list[Path]:
        return [path for path in (self.home.store / "blobs").rglob("*") if path.is_file()]


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    monkeypatch.setenv("npm_config_fetch_retries", "1")
    with serving(tmp_path / "web") as server:
        npm_package(tmp_path / "web/npm", server.url("npm/"), "editor", "1.0.0")
        yield Registry(tmp_path / "web", server, Home(tmp_path / "home"))


def in_its_way(way: str, patience: pytest.MonkeyPatch) -> None:
    """Small limits: npm gives up on silence itself, only dsvm on a registry that drips."""
    if way == "hangs":
        patience.setenv("npm_config_fetch_timeout", "1000")
    elif way == "drips":
        patience.setenv("DSVM_PATIENCE", "0.01")


@needs_npm
@pytest.mark.parametrize("way", WAYS)
def test_a_registry_that_misbehaves_is_told_after_few_tries(
    registry: Registry, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_its_way(way, monkeypatch)
    told = "npm could not get the packages"
    with faulty(way) as server, pytest.raises(DsvmError, match=told) as refused:
        lock_npm(npm_tool(editor="1"), None, {"npm": server.url("")}, registry.home)

    assert 1 <= len(server.asked) <= 4
    assert refused.value.cause
    assert "[sources] npm" in (refused.value.remedy or "")
    assert ("did not end within 9 s" in refused.value.cause) == (way == "drips")
    assert refused.value.log


@needs_npm
def test_a_registry_that_is_down_is_told(registry: Registry) -> None:
    with pytest.raises(DsvmError, match="npm could not get the packages") as refused:
        lock_npm(npm_tool(editor="1"), None, {"npm": DOWN}, registry.home)

    assert "ECONNREFUSED" in (refused.value.cause or "")


@needs_npm
@pytest.mark.parametrize("way", WAYS)
def test_tarballs_of_a_registry_that_misbehaves_leave_nothing_in_the_store(
    registry: Registry, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers what it has, and misbehaves when the build asks for the files themselves."""
    locked = registry.lock()
    registry.forget()
    in_its_way(way, monkeypatch)
    with faulty(way) as server:
        elsewhere(registry, server.url("editor-1.0.0.tgz"))
        with pytest.raises(DsvmError, match="npm could not get the packages"):
            fetch_npm(locked, registry.sources, registry.home)

    assert 1 <= len(server.asked) <= 4
    assert registry.blobs() == []


@needs_npm
def test_a_package_whose_digests_stand_there_twice_in_other_words_is_fetched_once(
    registry: Registry,
) -> None:
    locked = registry.lock()
    (one,) = locked.packages
    inner = {"path": f"{one.path}/node_modules/editor", "integrity": f"sha1-AA== {one.integrity}"}
    both = locked.model_copy(update={"packages": (one, one.model_copy(update=inner))})
    registry.forget()

    fetch_npm(both, registry.sources, registry.home)

    assert len(registry.blobs()) == 1


def elsewhere(registry: Registry, tarball: str) -> None:
    told = json.loads(registry.packument.read_text())
    told["versions"]["1.0.0"]["dist"]["tarball"] = tarball
    registry.packument.write_text(json.dumps(told))


def other_bytes(registry: Registry) -> None:
    (registry.web / "npm" / "editor-1.0.0.tgz").write_bytes(b"something else")


def another_release(registry: Registry) -> None:
    """The same version with another digest: npm itself is content with it."""
    more = {"description": "not what was locked"}
    npm_package(registry.web / "npm", registry.server.url("npm/"), "editor", "1.0.0", more=more)


def another_name(registry: Registry) -> None:
    told = json.loads(registry.packument.read_text())
    told["versions"]["1.0.0"]["name"] = "a/../../../elsewhere"
    registry.packument.write_text(json.dumps(told))


@needs_npm
@pytest.mark.parametrize("spoil", [other_bytes, another_release, another_name])
def test_a_tarball_that_is_not_the_locked_one_is_refused(
    registry: Registry, spoil: Callable[[Registry], None]
) -> None:
    locked = registry.lock()
    registry.forget()
    spoil(registry)

    with pytest.raises(DsvmError, match=r"npm (delivered another file|could not get)") as refused:
        fetch_npm(locked, registry.sources, registry.home)

    assert any(word in (refused.value.cause or "") for word in ("sha512", "EINTEGRITY", "called"))
    assert registry.blobs() == []
    assert not list(registry.web.parent.rglob("*elsewhere*"))


# The first file is the maker's word, so nothing tells garbage from it.
@pytest.mark.parametrize("way", [way for way in WAYS if way != "garbage"])
def test_a_maker_whose_server_misbehaves_is_told_when_it_is_locked(
    registry: Registry, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSVM_PATIENCE", "0.03")
    with faulty(way) as server:
        taken = lock_origin(artifact_tool(server.url("editor.tgz")), registry.home)

    assert 1 <= len(server.asked) <= TRIES
    assert not taken.reached
    assert taken.choice
    assert f"{TRIES} tries" in taken.choice.why
    assert registry.blobs() == []


@pytest.mark.parametrize("way", WAYS)
def test_a_makers_file_that_no_longer_comes_is_refused_when_it_is_fetched(
    registry: Registry, way: str
) -> None:
    (registry.web / "editor.tgz").write_bytes(b"as it was" * 1000)
    locked = lock_origin(artifact_tool(registry.server.url("editor.tgz")), registry.home).artifact
    assert locked
    for blob in registry.blobs():
        blob.unlink()
    with faulty(way) as server:
        moved = locked.model_copy(update={"url": server.url("editor.tgz")})
        with pytest.raises(DsvmError) as refused:
            fetch_all(example(artifacts=(moved,)), registry.home, limits=QUICK)

    assert 1 <= len(server.asked) <= QUICK.tries
    assert isinstance(refused.value, FetchFailed) == (way != "garbage")
    assert registry.blobs() == []
