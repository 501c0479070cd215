"""A size by name, as `[size]` of dsvm.toml says it; and what was advised."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsvm.errors import UsageError
from dsvm.home import Home
from dsvm.sizes.wish import ADVISED, Wish, keep_advised, wish_named

DEFINITION = """\
name = "lab"
[sizes.big]
cpus = 8
memory = "30.5G"
accelerator = "A10"
[sizes.small]
cpus = 1
memory = "1G"
"""


@pytest.fixture
def definition(tmp_path: Path) -> Path:
    path = tmp_path / "dsvm.toml"
    path.write_text(DEFINITION)
    return path


def test_a_size_of_ones_own_is_meant_by_its_name(definition: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")

    assert wish_named(home, "big", definition).keys() == {
        "cpus": 8,
        "memory": "31232M",
        "accelerator": "nvidia",
    }
    assert wish_named(home, "small", definition).keys() == {
        "cpus": 1,
        "memory": "1G",
        "accelerator": "cpu",
    }


def test_what_was_advised_counts_in_its_folder_alone(definition: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    first = Wish(cpus=2, memory="3G", accelerator="cpu")
    keep_advised(home, definition.parent, Wish(cpus=1, memory="1G", accelerator="cpu"))
    keep_advised(home, definition.parent, first)
    keep_advised(home, tmp_path / "elsewhere", Wish(cpus=4, memory="9G", accelerator="nvidia"))

    assert wish_named(home, ADVISED, definition) == first


def test_without_advice_there_is_no_such_size(definition: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing was advised in"):
        wish_named(Home(tmp_path / "home"), ADVISED, definition)
