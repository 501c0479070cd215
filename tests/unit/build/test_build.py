"""What is built, what is taken from the store, and what happens when a layer cannot be made."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from dsvm.build import build as building
from dsvm.build.model import Layer
from dsvm.build.parts import Part
from dsvm.catalog.compose import Composition
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.progress import Silent, Step
from dsvm.store import Store
from tests.unit.build.examples import lock


class Made:
    """Parts that write a few bytes, and count how often."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.times = 0

    def part(self, name: str, *, seconds: float = 0) -> Part:
        def make(log: Path, step: Step) -> str:
            time.sleep(seconds)
            self.times += 1
            return self.store.put(name.encode())

        return Part(name, "app", name.encode().hex(), make)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def a_build(home: Home) -> building._Build:
    composition = Composition.__new__(Composition)  # none of it is read when a part is made
    return building._Build(lock(), composition, home, Silent())


def test_a_finished_layer_is_taken_from_the_store(home: Home) -> None:
    made = Made(Store(home.store))
    part = made.part("app-a")

    first = a_build(home)._layer(part, [])
    second = a_build(home)._layer(part, [])

    assert made.times == 1
    assert (first.cached, second.cached) == (False, True)
    assert second.digest == first.digest


def test_a_layer_whose_bytes_are_gone_is_made_again(home: Home) -> None:
    made = Made(Store(home.store))
    layer = a_build(home)._layer(made.part("app-a"), [])
    made.store.discard(layer.digest)

    assert not a_build(home)._layer(made.part("app-a"), []).cached
    assert made.times == 2


def test_two_builds_at_once_make_a_layer_once(home: Home) -> None:
    made = Made(Store(home.store))
    part = made.part("app-a", seconds=0.1)
    layers: list[Layer] = []
    builds = [a_build(home), a_build(home)]
    threads = [
        threading.Thread(target=lambda one=one: layers.append(one._layer(part, [])))
        for one in builds
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert made.times == 1
    assert sorted(layer.cached for layer in layers) == [False, True]


def test_a_failure_names_the_layer_the_cause_and_the_log(home: Home) -> None:
    def make(log: Path, step: Step) -> str:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("$ mkfs.erofs\n")
        raise DsvmError("`mkfs.erofs` failed with status 1", cause="no space left on device")

    with pytest.raises(DsvmError) as fault:
        a_build(home)._layer(Part("env-base-cpu", "environment", "aa", make), [])

    assert str(fault.value) == (
        "error: layer `env-base-cpu` was not built\n"
        "  cause: `mkfs.erofs` failed with status 1\n"
        "         no space left on device\n"
        f"  log:   {home.logs}/build/env-base-cpu.log\n"
        "hint: finished layers are kept; run the command again"
    )


def test_a_disk_that_fails_is_no_traceback(home: Home) -> None:
    def make(log: Path, step: Step) -> str:
        raise OSError(28, "No space left on device", "/somewhere")

    with pytest.raises(DsvmError) as fault:
        a_build(home)._layer(Part("os", "os", "aa", make), [])

    assert "No space left on device" in str(fault.value)
