"""How the cost of `ls`, `up` (nothing changed) and `gc` grows with tools, machines and layers.

Usage: python -m benchmarks.growth [--repeats 3] [--machines 20]        (root)

One small machine gets 5 to 60 synthetic tools; 1 to 20 machines run on this host; the store holds
10 to 1,000 synthetic layers. Each command is run as a person types it; the best of some runs
counts.
"""

from __future__ import annotations

import argparse
import math
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.support import Figure, copy_downloads, dsvm, empty_home, save
from dsvm.build.model import Layer
from dsvm.catalog.compose import compose
from dsvm.home import Home
from dsvm.lock import fetch_all, make_lock, write_lock
from dsvm.lock.model import Lock
from dsvm.store import Store

TOOLS = (5, 10, 20, 40, 60)
MACHINES = (1, 2, 5, 10, 20)
LAYERS = (10, 30, 100, 300, 1000)
COMMANDS = {
    "ls": ("ls", "--json"),
    "up": ("up", "--json"),
    "gc": ("gc", "--dry-run", "--json"),
}
# Linear is 1; the rest is what repeated runs of the same differ by.
TARGET = 1.1
NOISE_S = 0.03
DEFINITION = """\
name = "{name}"
profile = ""
tools = [{tools}]
[size]
cpus = 1
memory = "512M"
[catalog]
paths = ["{catalog}"]
"""
TOOL = """\
title = "Tool {number}"
summary = "One of many"
homepage = "https://example.org/{number}"
licence = "MIT"
group = "tools"
start = "true"

[example]
run = "echo {number}"
prints = "{number}"

[[check]]
run = "check.sh"
timeout_s = 30
memory = "32M"

[[break]]
name = "wrong number"
run = "touch /run/wrong-{number}"
undo = "rm /run/wrong-{number}"
expect = "tool {number} is wrong"
"""
CHECK = """\
[ ! -e /run/wrong-{number} ] || {{ echo 'tool {number} is wrong' >&2; exit 1; }}
[ "$(printf %s {number} | wc -c)" = {digits} ]
"""
TEXT = """\
Seconds of a whole command, the best of some runs. The exponent p is fitted to what comes on top of
the smallest case, t(n) - t(n0) ~ (n - n0)^p: 1 is linear, less is better, and 0 means that the
command takes as long with many as with few. `up` has nothing to change; `gc` tells what it would
free. Tools and layers are synthetic, the machines run.
"""

Points = list[tuple[int, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--machines", type=int, default=max(MACHINES))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dsvm-benchmark-") as scratch:
        growth = Growth(Path(scratch), Home.default(), asked.repeats)
        try:
            growth.tools()
            growth.layers()
            growth.machines(asked.machines)
        finally:
            growth.end()
    figures = [
        Figure(f"{command} with more {what}", exponent(points), "exponent", TARGET)
        for (what, command), points in growth.points.items()
    ]
    series: dict[str, dict[str, Points]] = {}
    for (what, command), points in growth.points.items():
        series.setdefault(what, {})[command] = points
    save("growth", "How the cost grows", TEXT, figures, points=series)


def exponent(points: Points) -> float:
    """The p of t(n) - t(n0) ~ (n - n0)^p; 0 when nothing grows by more than noise."""
    (n0, t0), *rest = points
    grown = [(n - n0, t - t0) for n, t in rest if t - t0 > NOISE_S]
    if len(grown) < 2:
        return 0.0
    logs = [(math.log(n), math.log(t)) for n, t in grown]
    return statistics.linear_regression(*zip(*logs, strict=True)).slope


class Growth:
    """One home with its machines; `points` by what grows and by command."""

    def __init__(self, scratch: Path, warm: Home, repeats: int) -> None:
        self.scratch, self.repeats = scratch, repeats
        self.points: dict[tuple[str, str], Points] = {}
        self.catalog = scratch / "catalog"
        self.catalog.mkdir()
        for number in range(max(TOOLS)):
            self._tool(number)
        self.lock = self._locked(warm)
        copy_downloads([self.lock], warm, scratch / "downloads")
        self.home = empty_home(scratch / "home", scratch / "downloads", warm)
        self.names: list[str] = []

    def tools(self) -> None:
        """One machine gets more and more tools."""
        for count in TOOLS:
            self._up("first", count)
            self._measure("tools", count)

    def layers(self) -> None:
        """The store gets more and more layers that no machine needs."""
        store, made = Store(self.home.store), 0
        for count in LAYERS:
            for number in range(made, count):
                _layer(store, number)
            made = count
            self._measure("layers", count)
        dsvm(self.home.root, "gc", "--yes", cwd=self.scratch / "first")

    def machines(self, most: int) -> None:
        """More and more machines run."""
        for count in (count for count in MACHINES if count <= most):
            while len(self.names) < count:
                self._up(f"machine-{len(self.names)}", min(TOOLS))
            self._measure("machines", count)

    def end(self) -> None:
        for name in self.names:
            dsvm(self.home.root, "rm", name, "--yes", cwd=self.scratch)

    def _measure(self, what: str, count: int) -> None:
        for command, words in COMMANDS.items():
            taken = [self._once(words) for _ in range(self.repeats)]
            self.points.setdefault((what, command), []).append((count, round(min(taken), 3)))
            print(f"{count} {what}: {command} {min(taken):.3f} s", flush=True)

    def _once(self, words: Sequence[str]) -> float:
        began = time.perf_counter()
        dsvm(self.home.root, *words, cwd=self.scratch / "first")
        return time.perf_counter() - began

    def _up(self, name: str, tools: int) -> None:
        folder = self._folder(name, tools)
        if name not in self.names:
            write_lock(folder / "dsvm.lock", self.lock)
            self.names.append(name)
        dsvm(self.home.root, "up", "--yes", "--engine", "nspawn", cwd=folder)

    def _folder(self, name: str, tools: int) -> Path:
        folder = self.scratch / name
        folder.mkdir(exist_ok=True)
        chosen = ", ".join(f'"many-{number}"' for number in range(tools))
        text = DEFINITION.format(name=name, tools=chosen, catalog=self.catalog)
        (folder / "dsvm.toml").write_text(text)
        return folder

    def _tool(self, number: int) -> None:
        folder = self.catalog / f"many-{number}"
        folder.mkdir()
        (folder / "tool.toml").write_text(TOOL.format(number=number))
        (folder / "check.sh").write_text(CHECK.format(number=number, digits=len(str(number))))

    def _locked(self, warm: Home) -> Lock:
        folder = self._folder("lock", min(TOOLS))
        _, composition = compose(folder / "dsvm.toml")
        lock = make_lock(composition, warm)
        fetch_all(lock, warm, sources=composition.sources)
        shutil.rmtree(folder)
        return lock


def _layer(store: Store, number: int) -> None:
    digest = store.put(number.to_bytes(4096))
    layer = Layer(
        name=f"env-many-{number}-cpu",
        kind="environment",
        key=f"{number:064x}",
        digest=digest,
        bytes=4096,
        seconds=0,
        cached=False,
        mountpoint=f"/opt/dsvm/envs/many-{number}",
    )
    store.record_layer(layer.key, layer)


if __name__ == "__main__":
    main()
