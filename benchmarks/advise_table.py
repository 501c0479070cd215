"""Trains on a random table and tells its peak: `python advise_table.py MODEL ROWS COLUMNS`.

Prints bytes of resident memory above those after the imports; 20 trees, regression.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np


def main(model: str, rows: int, columns: int) -> None:
    if model == "xgboost":
        import xgboost as library
    else:
        import lightgbm as library
    random = np.random.default_rng(0)
    small = random.random((200, 4), dtype=np.float32)
    _train(library, model, small, small[:, 0], 1)
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    kind = np.float32 if model == "xgboost" else np.float64
    x = random.random((rows, columns), dtype=kind)
    y = x[:, 0] + random.random(rows, dtype=kind)
    _train(library, model, x, y, 20)
    print(_status("VmHWM") - before)


def _train(library: object, model: str, x: object, y: object, trees: int) -> None:
    if model == "xgboost":
        data = library.QuantileDMatrix(x, y)  # type: ignore[attr-defined]
        library.train({"tree_method": "hist"}, data, trees)  # type: ignore[attr-defined]
    else:
        more = {"verbose": -1, "objective": "regression"}
        library.train(more, library.Dataset(x, y), trees)  # type: ignore[attr-defined]


def _status(field: str) -> int:
    text = Path("/proc/self/status").read_text()
    found = re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
