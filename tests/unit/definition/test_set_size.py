"""Another size in a dsvm.toml: comments, order and all else stay."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsvm.definition import template
from dsvm.definition.edit import set_size
from dsvm.errors import DsvmError

SIZED = """\
name = "lab"  # mine

[size]
cpus = 2      # of four
memory = "4G"

[users.ada]
keys = ["ssh-ed25519 A"]
"""


def test_only_the_value_is_another() -> None:
    assert set_size(SIZED, {"cpus": 4}) == SIZED.replace("cpus = 2", "cpus = 4")


def test_what_is_so_already_changes_nothing() -> None:
    assert set_size(SIZED, {"cpus": 2, "memory": "4G"}) == SIZED


@pytest.mark.parametrize(
    "text",
    [
        'name = "lab"\n',
        'name = "lab"\nsize = { cpus = 1 }\n',
        'name = "lab"\nsize.cpus = 1\n',
        'name = "lab"\n[size]\n[users.ada]\nkeys = ["k"]\n',
        template("lab"),
    ],
)
def test_wherever_the_size_stands_it_is_read_back(text: str) -> None:
    before = tomllib.loads(text)

    after = tomllib.loads(set_size(text, {"cpus": 8, "memory": "16G"}))

    assert after["size"] == {**before.get("size", {}), "cpus": 8, "memory": "16G"}
    assert {**after, "size": None} == {**before, "size": None}


@given(st.integers(1, 4096), st.sampled_from(["512M", "1.5G", "2T"]))
def test_a_size_set_and_set_back_is_the_same_text(cpus: int, memory: str) -> None:
    there = set_size(SIZED, {"cpus": cpus, "memory": memory})
    assert set_size(there, {"cpus": 2, "memory": "4G"}) == SIZED


def test_a_size_that_is_no_table_is_refused_with_the_remedy() -> None:
    with pytest.raises(DsvmError, match="`size` is no table"):
        set_size('name = "lab"\nsize = 4\n', {"cpus": 4})
