"""The lessons, each run on a machine with all their tools: seconds, and the spread of the results.

Usage: python -m benchmarks.lessons [--folder WHERE] [--rounds N] [--small]  (root, two quiet CPUs)

A round is `dsvm learn --run all`. The machine is made before the clock runs, with DSVM_HOME's
downloads and layers.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.support import Figure, Runs, dsvm, save, told
from dsvm.home import Home
from dsvm.learn import load_lessons

NAME = "benchmark-lessons"
MINUTES = 15
SMALL = "features"
DEFINITION = """\
name = "{name}"
profile = ""
tools = {tools}
[size]
cpus = 2
memory = "4G"
"""
TEXT = """\
`dsvm learn --run all`, round after round, on a machine of two processors that has the tools of all
lessons: {lessons}. What a lesson needs was there before. A lesson compares over several seeds
itself; the range here is that of whole runs. Speeds vary with the computer and with what else it
does, accuracies do not.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary folder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--small", action="store_true", help="try the benchmark itself; no result is written"
    )
    asked = parser.parse_args()
    home = Home.default().root
    lessons = {SMALL: load_lessons()[SMALL]} if asked.small else load_lessons()
    tools = sorted({tool for one in lessons.values() for tool in one.tools})
    models = sorted({model for one in lessons.values() for model in one.models})
    runs, rounds = Runs(), list[Mapping[str, Any]]()
    with tempfile.TemporaryDirectory(prefix="dsvm-benchmark-", dir=asked.folder) as scratch:
        place = Path(scratch)
        text = DEFINITION.format(name=NAME, tools=json.dumps(tools))
        text += "".join(f"[models.{model}]\n" for model in models)
        (place / "dsvm.toml").write_text(text)
        told(home, "up", "--engine", "nspawn", cwd=place)
        try:
            for _ in range(asked.rounds):
                rounds.append(_round(home, place, runs))
        finally:
            dsvm(home, "rm", NAME, "--yes", cwd=place)
    if asked.small:
        print(runs.json(), *results(rounds), sep="\n")
        return
    minutes = [seconds / 60 for seconds in runs.seconds("all lessons")]
    save(
        "lessons",
        "The lessons",
        TEXT.format(lessons=", ".join(f"`{name}`" for name in lessons)),
        [Figure("all lessons", statistics.median(minutes), "min", MINUTES, values=minutes)],
        runs=runs.json(),
        results=results(rounds),
    )


def _round(home: Path, place: Path, runs: Runs) -> Mapping[str, Any]:
    """What each lesson found. Raises `CalledProcessError` when one does not hold."""
    ran: list[dict[str, Any]] = []
    runs.time("all lessons", lambda: ran.extend(told(home, "learn", "--run", "all", cwd=place)))
    for one in ran:
        runs.add(one["name"], one["seconds"])
    return {one["name"]: one["results"] for one in ran}


def results(rounds: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each result that is a number: in each round, and the bounds within which it holds."""
    found = []
    for lesson, first in rounds[0].items():
        demands = {one.name: one for one in load_lessons()[lesson].result}
        for name in first:
            values = [one[lesson].get(name) for one in rounds]
            if all(_counts(value) for value in values):
                demand = demands.get(name)
                bounds = (demand.least, demand.most) if demand else (None, None)
                found.append({"lesson": lesson, "name": name, "values": values, "bounds": bounds})
    return found


def _counts(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
