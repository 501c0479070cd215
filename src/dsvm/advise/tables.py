"""Memory of gradient boosting and random forests on a table, by formula.

All counts are bytes; n rows, d columns, b the largest number of bins, l leaves, t trees.

xgboost, `tree_method="hist"`: the table as 32-bit floats `4nd`, its quantised copy `2nd`, gradients
and sketches; a DMatrix keeps 8 bytes more per entry. The number of
histograms was fitted, the rest follows from its data structures (`src/data/gradient_index.h`,
`src/common/hist_util.h`): one histogram of 16 bytes per bin and column for each node that is open.

lightgbm: derived from `include/LightGBM/bin.h` and `serial_tree_learner.cpp`, see `_lightgbm`.

A random forest's size depends on the noise in its labels: between trees that stop at once and trees
with a leaf per row. So an interval, whose upper end is safe.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from dsvm.errors import UsageError

MODELS = ("xgboost", "lightgbm", "random-forest")
MIB = 1024**2
_SHAPE = re.compile(r"(\d{1,12})[xX×](\d{1,7})")
FLOAT, DOUBLE = 4, 8
OPEN_NODES = 256
"""Histograms that xgboost keeps, fitted on 100000x20, 500000x40, 200000x200, 50000x500."""
SAMPLED = 200_000
"""Rows from which lightgbm finds bins: `bin_construct_sample_cnt`."""
NODE = 64
"""Bytes of one node of a scikit-learn tree: `sizeof(Node)` of `sklearn/tree/_tree.pxd`."""


@dataclass(frozen=True)
class Table:
    """A table to learn from, and with what: `classes` 1 for a regression or two classes."""

    rows: int
    columns: int
    model: str
    trees: int = 100
    depth: int = 6
    leaves: int = 31
    bins: int = 256
    classes: int = 1
    matrix: Literal["dmatrix", "quantile"] = "quantile"


@dataclass(frozen=True)
class TableMemory:
    """Bytes that training takes above the program itself."""

    expected: int
    upper: int
    parts: dict[str, int]
    source: str


def parse_shape(text: str) -> tuple[int, int]:
    """`1000000x50`: rows and columns. Raises `UsageError`."""
    match = _SHAPE.fullmatch(text.strip())
    if match is None or not int(match[1]) or not int(match[2]):
        raise UsageError(f"--table {text} is no shape", remedy="as in --table 1000000x50")
    return int(match[1]), int(match[2])


def table_memory(table: Table) -> TableMemory:
    """What training on this table takes. Raises `UsageError` for an unknown model."""
    rules = {"xgboost": _xgboost, "lightgbm": _lightgbm, "random-forest": _random_forest}
    if table.model not in rules:
        raise UsageError(
            f"--model {table.model} is not known", remedy=f"one of {', '.join(MODELS)}"
        )
    return rules[table.model](table)


def _xgboost(table: Table) -> TableMemory:
    n, d = table.rows, table.columns
    extra = 8 * n * d + 8 * n if table.matrix == "dmatrix" else 0
    parts = {
        "table": FLOAT * n * d,
        "copy": extra,
        "bins": 2 * n * d,
        "rows": 36 * n * max(1, table.classes),
        "histograms": OPEN_NODES * min(table.bins, n) * 16 * d,
    }
    expected = sum(parts.values())
    return TableMemory(
        expected,
        int(expected * 1.15) + 30 * MIB,
        parts,
        "formula; the histograms kept were fitted on four shapes",
    )


def _lightgbm(table: Table) -> TableMemory:
    """The caller's table of doubles is read once; kept are the bins, one byte per entry while a
    column has at most 256. Per row: gradient, hessian, label as 32-bit floats, the score as double,
    the row in two index lists. While bins are found, a sample of rows is held once more, value and
    index of each entry. Histograms: two doubles per bin and column, one per leaf."""
    n, d = table.rows, table.columns
    width = 1 if table.bins <= 256 else 2
    classes = max(1, table.classes)
    parts = {
        "table": DOUBLE * n * d,
        "copy": (DOUBLE + 4) * min(n, SAMPLED) * d,
        "bins": width * n * d,
        "rows": n * (classes * (FLOAT + FLOAT + DOUBLE) + FLOAT + 2 * 4),
        "histograms": table.leaves * min(table.bins, n) * 16 * d,
    }
    expected = sum(parts.values())
    return TableMemory(expected, int(expected * 1.2) + 30 * MIB, parts, "formula, derived")


def _random_forest(table: Table) -> TableMemory:
    """scikit-learn: the table as 32-bit floats, per tree `2 leaves - 1` nodes with a value each."""
    n, d = table.rows, table.columns
    most = 2 * int(0.632 * n)
    deepest = 2 ** (table.depth + 1) if table.depth else most
    nodes = min(most, deepest)
    classes = max(1, table.classes if table.classes > 1 else 1)
    parts = {
        "table": FLOAT * n * d,
        "copy": 0,
        "rows": 2 * n * (DOUBLE * classes + 8),
        "trees": table.trees * (nodes // 2) * (NODE + DOUBLE * classes),
    }
    upper = sum(parts.values()) + table.trees * (nodes - nodes // 2) * (NODE + DOUBLE * classes)
    return TableMemory(sum(parts.values()), upper + 30 * MIB, parts, "interval: depends on labels")
