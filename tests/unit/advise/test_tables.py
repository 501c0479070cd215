"""Formulas for tables."""

from __future__ import annotations

import pytest

from dsvm.advise.tables import MODELS, Table, parse_shape, table_memory
from dsvm.errors import UsageError


def test_a_shape_is_rows_by_columns() -> None:
    assert parse_shape("1000x20") == (1000, 20)


@pytest.mark.parametrize("text", ["", "10", "0x5", "10x0", "-1x5", "1e6x5", "10x5x2"])
def test_anything_else_is_no_shape(text: str) -> None:
    with pytest.raises(UsageError):
        parse_shape(text)


@pytest.mark.parametrize("model", MODELS)
def test_more_rows_take_more(model: str) -> None:
    small, large = (table_memory(Table(rows, 50, model)) for rows in (10_000, 1_000_000))

    assert small.expected < small.upper
    assert small.expected < large.expected < large.upper
    assert sum(large.parts.values()) == large.expected


def test_xgboost_follows_its_formula() -> None:
    n, d = 100_000, 40

    found = table_memory(Table(n, d, "xgboost"))

    assert found.expected == 4 * n * d + 2 * n * d + 36 * n + 256 * 256 * 16 * d


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(UsageError, match="not known"):
        table_memory(Table(10, 10, "svm"))
