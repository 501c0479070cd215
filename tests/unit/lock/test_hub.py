"""Files of a model hub come by the hub's own client, and count only with the right digest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dsvm.catalog.origins import HubNeed
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.lock.hub import OtherFile, fetch_hub, lock_hub, need_of
from dsvm.lock.reached import NotReached
from dsvm.store import Store
from tests.model_hub import REPOSITORY, REVISION, ModelHub

MIB = 1024**2
# The client writes 10 MiB at a time.
FILES = {"model.onnx": bytes(range(256)) * (24 * MIB // 256), "about/config.json": b"{}"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHub]:
    with ModelHub(FILES).serving() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        yield hub


def need(files: dict[str, str]) -> HubNeed:
    return HubNeed(hub="huggingface", repository=REPOSITORY, revision=REVISION, files=files)


def test_each_file_is_locked_with_its_size_and_lies_in_the_store(
    hub: ModelHub, tmp_path: Path
) -> None:
    home = Home(tmp_path)

    locked = lock_hub("model-mine", need(hub.digests), home)

    assert {one.path: one.size for one in locked.files} == {k: len(v) for k, v in FILES.items()}
    assert need_of(locked) == need(hub.digests)
    for one in locked.files:
        assert Store(home.store).get(one.sha256).read_bytes() == FILES[one.path]


def test_what_is_in_the_store_is_not_asked_for_again(hub: ModelHub, tmp_path: Path) -> None:
    locked = lock_hub("model-mine", need(hub.digests), Home(tmp_path))
    hub.asked.clear()

    fetch_hub(locked, Home(tmp_path))

    assert hub.asked == []


def test_a_file_that_broke_off_goes_on_where_it_was(hub: ModelHub, tmp_path: Path) -> None:
    hub.cuts["model.onnx"] = 15 * MIB

    locked = lock_hub("model-mine", need(hub.digests), Home(tmp_path))

    assert Store(Home(tmp_path).store).sound(locked.files[1].sha256)
    (begun, resumed) = [first for name, first in hub.asked if name == "model.onnx"]
    assert begun == 0
    assert resumed == 10 * MIB


def test_a_wrong_digest_is_refused_and_nothing_of_it_is_kept(hub: ModelHub, tmp_path: Path) -> None:
    wrong = {"model.onnx": "0" * 64}

    with pytest.raises(OtherFile) as refused:
        lock_hub("model-mine", need(wrong), Home(tmp_path))

    assert f"wanted: sha256 {'0' * 64}" in (refused.value.cause or "")
    assert hub.digests["model.onnx"] in (refused.value.cause or "")
    assert not Store(Home(tmp_path).store).sound(hub.digests["model.onnx"])


def test_a_file_that_the_hub_has_not_is_a_mistake_of_the_definition(
    hub: ModelHub, tmp_path: Path
) -> None:
    with pytest.raises(DsvmError, match=r"the hub has no tests/doubling/other\.onnx") as absent:
        lock_hub("model-mine", need({"other.onnx": "0" * 64}), Home(tmp_path))

    assert not isinstance(absent.value, NotReached)
