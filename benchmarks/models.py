"""What models cost a machine that has them and does not ask them.

Usage: python -m benchmarks.models [--rounds 5]        (root)

A small machine is made, started some times, given every model of the catalog, and started as often.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.support import Figure, Runs, dsvm, save, told
from dsvm.home import Home
from dsvm.models import load_models

NAME = "benchmark-models"
DEFINITION = f"""\
name = "{NAME}"
profile = ""
tools = ["python"]
[size]
cpus = 2
memory = "2G"
"""
WITHOUT, WITH = "start without models", "start with every model"
TEXT = """\
A machine with the tool `python` under `nspawn`, then the same one with every model of the catalog.

- *start*: `dsvm start` of the stopped machine, to its end.
- *memory*: of the processes of the system after a start, as `dsvm verify` measures it.
- *other layers changed*: those that the machine had before and whose digest is another one now.
- *add*: `dsvm models add` of all of them while the machine runs, layers built, with their proof.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    home, runs = Home.default(), Runs()
    with tempfile.TemporaryDirectory(prefix="dsvm-benchmark-") as scratch:
        place = Path(scratch)
        (place / "dsvm.toml").write_text(DEFINITION)
        told(home.root, "up", "--engine", "nspawn", cwd=place)
        try:
            before = _layers(home, place)
            bare = _started(home, place, runs, WITHOUT, rounds)
            began = time.perf_counter()
            dsvm(home.root, "models", "add", *load_models(), "--yes", cwd=place)
            added = time.perf_counter() - began
            after = _layers(home, place)
            full = _started(home, place, runs, WITH, rounds)
        finally:
            dsvm(home.root, "rm", "--yes", cwd=place)
    # The disk holds how the models are asked, but that is in a machine without them, too.
    changed = [name for name, digest in before.items() if after[name] != digest]
    slower = [b - a for a, b in zip(runs.seconds(WITHOUT), runs.seconds(WITH), strict=True)]
    more = [b - a for a, b in zip(bare, full, strict=True)]
    figures = [
        Figure(WITHOUT, runs.median(WITHOUT), "s", values=runs.seconds(WITHOUT)),
        Figure(WITH, runs.median(WITH), "s", values=runs.seconds(WITH)),
        Figure("start, more for every model", statistics.median(slower), "s", values=slower),
        Figure("memory, more for every model", statistics.median(more), "MiB", values=more),
        Figure("other layers changed", len(changed), "layers", 0),
        Figure("models added", len(after) - len(before), "layers"),
        Figure("add", added, "s"),
    ]
    save("models", "Models that are there and not asked", TEXT, figures, runs=runs.json())


def _started(home: Home, place: Path, runs: Runs, what: str, rounds: int) -> list[float]:
    """The memory (MiB) of the system's processes after each start."""
    found = []
    for _ in range(rounds):
        dsvm(home.root, "stop", cwd=place)
        runs.time(what, lambda: dsvm(home.root, "start", cwd=place))
        report: dict[str, Any] = json.loads(
            dsvm(home.root, "verify", "--tool", "machine", "--json", cwd=place)
        )
        setup = next(one for one in report["checks"] if one["check"] == "set up")
        found.append(float(setup["measurements"]["services_memory_mib"]))
    return found


def _layers(home: Home, place: Path) -> dict[str, str]:
    layers = json.loads(dsvm(home.root, "build", "--json", "--yes", cwd=place))["layers"]
    return {layer["name"]: layer["digest"] for layer in layers}


if __name__ == "__main__":
    main()
