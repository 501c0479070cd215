"""A layer's folders have the same modes under any umask."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsvm.build import debs, work


@pytest.fixture
def private_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("private_umask")
def test_folders_of_a_layer_are_open_under_a_private_umask(tmp_path: Path) -> None:
    work.new_folder(tmp_path / "new")
    debs.unpack([], tmp_path / "tree", log=tmp_path / "log")

    found = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "tree/usr").iterdir()}
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o755
    assert set(found.values()) == {0o755}
