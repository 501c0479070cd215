"""The lock on disk: diffable, whole or not at all, and checked when read."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsvm.errors import DsvmError
from dsvm.lock import lock_text, read_lock, write_lock
from dsvm.lock.model import LockedNpm, OsTree
from tests.unit.lock.examples import environment, example, wheel

words = st.text(min_size=1, max_size=12)


@settings(max_examples=40)
@given(names=st.lists(words, max_size=5, unique=True), text=st.text(max_size=40))
def test_what_is_written_is_read_again(names: list[str], text: str) -> None:
    lock = example(
        environments=(environment("base", *(wheel(name, "1") for name in names), why=text),),
        npm=(LockedNpm(tool=text, requirements={text: text}, packages=(), package_lock=text),),
        os=OsTree(suite="trixie", roots=tuple(names), packages=(), dated={"a": text}),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dsvm.lock"
        write_lock(path, lock)
        assert read_lock(path) == lock
        assert [file.name for file in Path(folder).iterdir()] == ["dsvm.lock"]


def test_one_package_is_one_line() -> None:
    packages = [wheel("a", "1"), wheel("b", "2")]
    text = lock_text(example(environments=(environment("base", *packages),)))
    lines = [line.strip().rstrip(",") for line in text.splitlines() if ".whl" in line]
    assert [json.loads(line)["name"] for line in lines] == ["a", "b"]


def test_no_lock_is_none(tmp_path: Path) -> None:
    assert read_lock(tmp_path / "dsvm.lock") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', "\udcff"])
def test_what_is_no_lock_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "dsvm.lock"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(DsvmError, match=r"dsvm\.lock is not a lock"):
        read_lock(path)


def test_a_lock_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    with pytest.raises(DsvmError, match="cannot be written"):
        write_lock(tmp_path / "missing" / "dsvm.lock", example())
