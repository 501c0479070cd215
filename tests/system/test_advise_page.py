"""The guide docs/advise.md: a model is advised, its machine made, and trained on it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsvm.home import Home
from tests.console_blocks import CHECKOUT, shown
from tests.system.typed import Dsvm, typed_by_a_reader

PAGE = "docs/advise.md"
FILES = re.compile(r"^```python (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TOML = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(dsvm: Dsvm, tmp_path: Path) -> Iterator[Path]:
    """What the reader has when the commands begin."""
    page = (CHECKOUT / PAGE).read_text(encoding="utf-8")
    (tmp_path / "dsvm").symlink_to(CHECKOUT / "dsvm")
    (tmp_path / "dsvm.toml").write_text(TOML.findall(page)[0])
    for name, text in FILES.findall(page):
        (tmp_path / name).write_text(text)
    yield tmp_path
    dsvm("rm", "gpt", "--yes")


def test_a_model_is_advised_and_runs_within_the_size_that_was_chosen(
    folder: Path, home: Home, dsvm: Dsvm
) -> None:
    for line in shown([PAGE]):
        typed_by_a_reader(line.text, folder, home, timeout_s=1800)

    machine = json.loads(dsvm("ls", "--json", cwd=folder).stdout)
    last = json.loads(dsvm("advise", "--history", "--json").stdout)[-1]
    assert last["machine"] == "gpt"
    assert last["taken"]["status"] == 0
    assert last["taken"]["peak"] <= last["advice"]["upper"]
    assert machine
