"""The machine with every tool: its cold build, a tool that is added, its JupyterLab.

Usage: python -m benchmarks.full [--folder WHERE] [--small]        (root, 40 GB free, an hour)

One round: what the bare tools take for the same OS packages and environments is printed beside it.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import rivals_bare
from benchmarks.support import (
    Figure,
    Runs,
    dsvm,
    empty_home,
    link_wheels,
    save,
    started,
    told,
    wait_for,
)
from dsvm.build import debs
from dsvm.catalog import load_catalog
from dsvm.catalog.compose import compose
from dsvm.home import Home
from dsvm.lock import fetch_all, make_lock, write_lock
from dsvm.lock.model import Lock
from dsvm.store import Store

# Has an environment of its own and no OS packages that others lack.
ADDED, SMALL_ADDED = "jax", "lightgbm"
SMALL = ("git", "jupyterlab", "vim")
STARTER = ("python", "r", "jupyterlab", "xgboost", "git", "vim")
STARTS = 3
DIGEST = re.compile("[0-9a-f]{64}")
DEFINITION = """\
name = "{name}"
profile = ""
tools = [{tools}]
[size]
memory = "12G"
"""
TEXT = """\
All tools whose sources this computer reaches. Everything lies here before the clock runs.

- *bare tools*: mmdebstrap, then for each environment `uv pip install` and `mkfs.erofs`, one after
  the other. No byte code, no disk that boots, no digests, and nothing of what dsvm builds besides:
  the apps of npm, of single files and of R.
- *one tool added*: `{added}`, with an environment of its own, to a machine that has all others.
- *start to JupyterLab*: from `dsvm start` of a stopped machine (nspawn) to the first answer 200.
"""


@dataclass
class Full:
    """One run; `tools` are all, one of them is `added`."""

    scratch: Path
    warm: Home
    tools: Sequence[str]
    added: str
    runs: Runs = field(default_factory=Runs)
    layers: list[dict[str, Any]] = field(default_factory=list)

    def run(self) -> None:
        most = [name for name in self.tools if name != self.added]
        before, after = self._locked("full", most), self._locked("added", self.tools)
        home = self._home([before, after])
        self._bare(before)
        self._dsvm(home, before, after)
        for name, tools in (("full", self.tools), ("starter", STARTER)):
            self._starts(home, name, tools)

    def _locked(self, folder: str, tools: Sequence[str]) -> Lock:
        place = self._folder(folder, tools)
        _, composition = compose(place / "dsvm.toml")
        lock = make_lock(composition, self.warm)
        fetch_all(lock, self.warm, sources=composition.sources)
        write_lock(place / "dsvm.lock", lock)
        return lock

    def _folder(self, folder: str, tools: Sequence[str], name: str = "full") -> Path:
        place = self.scratch / folder
        place.mkdir(exist_ok=True)
        listed = ", ".join(f'"{tool}"' for tool in tools)
        (place / "dsvm.toml").write_text(DEFINITION.format(name=name, tools=listed))
        return place

    def _home(self, locks: Sequence[Lock]) -> Home:
        """A home in which nothing is built, with all that the locks name."""
        store, downloads = Store(self.warm.store), self.scratch / "downloads"
        downloads.mkdir()
        for digest in {found for lock in locks for found in DIGEST.findall(lock.model_dump_json())}:
            if store.has(digest):
                shutil.copyfile(store.get(digest), downloads / digest)
        return empty_home(self.scratch / "home", downloads, self.warm)

    def _bare(self, lock: Lock) -> None:
        downloads, work = self.scratch / "downloads", self.scratch / "bare"
        wheels, repository = self.scratch / "wheels", self.scratch / "repository"
        link_wheels([lock], downloads, wheels)
        read = [debs.read(one, downloads / one.sha256) for one in lock.os.packages]
        debs.repository(read, lock.os.suite, repository)
        self.runs.time(
            "bare tools: cold", lambda: rivals_bare.build(lock, repository, wheels, work)
        )
        for folder in (work, wheels, repository):
            shutil.rmtree(folder)

    def _dsvm(self, home: Home, before: Lock, after: Lock) -> None:
        place, built = self.scratch / "full", list[dict[str, Any]]()

        def build() -> None:
            built.append(told(home.root, "build", cwd=place))

        self.runs.time("dsvm: cold", build)
        self._folder("full", self.tools)
        write_lock(place / "dsvm.lock", after)
        self.runs.time("dsvm: one tool added", build)
        self.layers = built[0]["layers"]
        there = {layer["digest"] for layer in self.layers}
        new = [layer["name"] for layer in built[1]["layers"] if layer["digest"] not in there]
        print(f"the added tool made {new} anew")

    def _starts(self, home: Home, name: str, tools: Sequence[str]) -> None:
        place = self._folder(name, tools, name)
        up = told(home.root, "up", "--engine", "nspawn", cwd=place)
        try:
            url = up["apps"]["jupyterlab"]["url"]
            for _ in range(STARTS):
                dsvm(home.root, "stop", cwd=place)
                time.sleep(1)
                took = started(home, place, [], lambda: wait_for(url))
                self.runs.add(f"{name}: start to JupyterLab", took)
        finally:
            dsvm(home.root, "rm", "--yes", cwd=place)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary folder")
    parser.add_argument(
        "--small", action="store_true", help="try the benchmark itself; no result is written"
    )
    asked = parser.parse_args()
    everything = (*SMALL, SMALL_ADDED) if asked.small else tuple(load_catalog().tools)
    added = SMALL_ADDED if asked.small else ADDED
    with tempfile.TemporaryDirectory(prefix="dsvm-benchmark-", dir=asked.folder) as scratch:
        full = Full(Path(scratch), Home.default(), everything, added)
        full.run()
    if asked.small:
        print(full.runs.json(), *_figures(full.runs), sep="\n")
        return
    save(
        "full",
        "The machine with every tool",
        TEXT.format(added=added),
        _figures(full.runs),
        runs=full.runs.json(),
        layers=full.layers,
    )


def _figures(runs: Runs) -> list[Figure]:
    def ratio(what: str, above: str, below: str, target: float) -> Figure:
        return Figure(what, runs.median(above) / runs.median(below), "x", target)

    cold, lab = "dsvm: cold", "start to JupyterLab"
    return [
        ratio("cold build of all tools by what the bare tools take", cold, "bare tools: cold", 1.2),
        ratio("one tool added by the cold build", "dsvm: one tool added", cold, 0.1),
        ratio("JupyterLab by that of the starter", f"full: {lab}", f"starter: {lab}", 1.3),
    ]


if __name__ == "__main__":
    main()
