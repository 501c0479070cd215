"""Sizes as people write them, and half of the host."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsvm.definition import ByteSize, Host, default_size, format_bytes, parse_bytes, size_of
from dsvm.definition.model import SizeDefinition
from dsvm.definition.sizes import GIB, MIB, TIB, this_host


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("4G", 4 * GIB),
        ("512M", 512 * MIB),
        ("40GiB", 40 * GIB),
        ("1.5 gb", 1536 * MIB),
        ("1T", TIB),
        ("64k", 65536),
    ],
)
def test_sizes_are_read_in_binary_units(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "4", "G", "-4G", "4X", "4 000M", "٤G", "1e9G", "4Gi B"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no size"):
        parse_bytes(text)


@given(st.integers(1, 999_999).map(lambda n: n * 1024))
def test_a_shown_size_reads_back(count: int) -> None:
    assert parse_bytes(format_bytes(count)) == count


def test_the_default_is_half_of_the_host() -> None:
    assert default_size(Host(8, 32 * GIB)) == ByteSize(4, 16 * GIB, 40 * GIB)
    assert default_size(Host(1, GIB)) == ByteSize(1, GIB, 40 * GIB)
    assert default_size(this_host()).cpus >= 1


def test_what_the_definition_says_wins() -> None:
    wanted = SizeDefinition(cpus=3, disk="8G", accelerator="cpu")
    assert size_of(wanted, Host(8, 32 * GIB)) == ByteSize(3, 16 * GIB, 8 * GIB, "cpu")
