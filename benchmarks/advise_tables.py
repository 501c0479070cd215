"""Memory that `dsvm advise --table` expects, beside what training truly took, on unseen shapes.

Usage: python -m benchmarks.advise_tables PYTHON

PYTHON has numpy, xgboost and lightgbm. Each shape is trained on in a fresh process.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

from benchmarks.support import HERE, Figure, save
from dsvm.advise.tables import Table, table_memory

SHAPES = (
    *((30_000, 10), (300_000, 25), (800_000, 12), (150_000, 60), (60_000, 120)),
    *((400_000, 80), (20_000, 300), (1_000_000, 8), (250_000, 35), (100_000, 150)),
)
MODELS = ("xgboost", "lightgbm")
MIB = 1024**2
TEXT = """\
Ten shapes that no constant was fitted on, twenty trees each, a regression on random numbers:
32-bit ones in a QuantileDMatrix for xgboost, doubles for lightgbm. The truth is the peak of
resident memory above that after the imports and a first small training; an error is told of it.
"""


def main(python: str) -> None:
    rows = [_row(python, model, *shape) for model in MODELS for shape in SHAPES]
    figures = []
    for model in MODELS:
        mine = [row for row in rows if row["model"] == model]
        errors = sorted(abs(row["error"]) for row in mine)
        covered = 100 * sum(row["upper"] >= row["truth"] for row in mine) / len(mine)
        figures += [
            Figure(f"{model}, median error", statistics.median(errors), "%", 10),
            Figure(f"{model}, worst error", errors[-1], "%"),
            Figure(f"{model}, shapes that the bound covers", covered, "%", 98, at_most=False),
        ]
    save("advise_tables", "Memory of training on a table", TEXT, figures, jobs=rows)


def _row(python: str, model: str, rows: int, columns: int) -> dict[str, object]:
    argv = [python, HERE / "advise_table.py", model, str(rows), str(columns)]
    truth = int(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    told = table_memory(Table(rows, columns, model))
    error = 100 * (told.expected - truth) / truth
    print(f"{model} {rows}x{columns}: {told.expected / MIB:.0f} for {truth / MIB:.0f} MiB")
    return {
        "model": model, "rows": rows, "columns": columns, "truth": truth,
        "expected": told.expected, "upper": told.upper, "error": round(error, 2),
    }  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1])
