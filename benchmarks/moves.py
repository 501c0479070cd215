"""A machine of another size, and back: a resize with its proof, a snapshot, a restore.

Usage: python -m benchmarks.moves [--rounds 4] [--gib 10]        (root, twice GIB and 5 GB free)

A machine with the profile `starter` is made first, and removed at the end.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.support import Figure, Runs, dsvm, ratios, save, told
from dsvm.home import Home
from dsvm.machines.machine import Machine
from dsvm.machines.state import Machines

NAME = "moves"
DEFINITION = f"""\
name = "{NAME}"
profile = "starter"
[size]
cpus = 1
memory = "2G"
accelerator = "auto"
"""
SMALL, LARGE = ("--cpus", "1", "--memory", "2G"), ("--cpus", "2", "--memory", "4G")
SIZES = (LARGE, SMALL)
ACCELERATORS = (("--accelerator", "cpu"), ("--accelerator", "auto"))
TEXT = """\
A running machine with the profile `starter`, everything built, engine `nspawn`.

- *resize*: `dsvm resize` from 1 CPU and 2 GB to 2 CPUs and 4 GB and back: plan, snapshot, change,
  proof. Its plain rival: `dsvm stop`, `dsvm start`, and the same checks by `dsvm verify`.
- *with a restart*: `dsvm resize --accelerator`, which restarts the machine and proves every tool.
- *snapshot*, *restore*: of the running machine with that many GiB written by a person; the restore
  stops it, and ends when it is used again. Their rival copies the disk while the machine is
  stopped, and starts it.
"""


@dataclass
class Moves:
    home: Home
    place: Path
    rounds: int
    gib: int
    runs: Runs = field(default_factory=Runs)
    added: list[float] = field(default_factory=list)

    @property
    def machine(self) -> Machine:
        return Machines(self.home).get(NAME)

    def typed(self, *words: str) -> None:
        dsvm(self.home.root, *words, cwd=self.place)

    def resizes(self, what: str, steps: tuple[tuple[str, ...], ...], checks: list[str]) -> None:
        for words in itertools.islice(itertools.cycle(steps), self.rounds):
            self.timed(what, partial(self.typed, "resize", *words, "--yes"))
            self.timed(f"{what}: plain", partial(self.plainly, checks))

    def plainly(self, checks: list[str]) -> None:
        self.typed("stop")
        self.typed("start")
        self.typed("verify", *checks)

    def timed(self, what: str, work: Callable[[], None]) -> None:
        time.sleep(1)
        self.runs.time(what, work)

    def snapshots(self) -> None:
        size = self.gib << 30
        machine = self.machine
        fill = f"head -c {size} /dev/urandom > ~/data && sync"
        machine.ssh.run(["sh", "-c", fill], timeout_s=1800)
        copy = self.place / "copy"
        for _ in range(self.rounds):
            before = allocated(machine.folder)
            self.timed("snapshot", lambda: self.typed("snapshot"))
            self.added.append((allocated(machine.folder) - before) / size)
            taken = told(self.home.root, "snapshots", cwd=self.place)[-1]["id"]
            self.timed("restore", partial(self.typed, "restore", NAME, taken, "--yes"))
        self.timed("copy", lambda: self.copied(copy))
        shutil.rmtree(copy)

    def copied(self, copy: Path) -> None:
        self.typed("stop")
        shutil.copytree(self.machine.folder, copy, ignore=shutil.ignore_patterns("*.sock"))
        self.typed("start")


def allocated(folder: Path) -> int:
    """Bytes that its files take of the host's disk."""
    return sum(file.lstat().st_blocks * 512 for file in folder.rglob("*"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--gib", type=int, default=10)
    asked = parser.parse_args()
    home = Home.default()
    with tempfile.TemporaryDirectory(prefix="dsvm-benchmark-", dir=home.root) as scratch:
        moves = Moves(home, Path(scratch), asked.rounds, asked.gib)
        (moves.place / "dsvm.toml").write_text(DEFINITION)
        told(home.root, "up", "--engine", "nspawn", cwd=moves.place)
        try:
            moves.resizes("resize", SIZES, ["--tool", "machine"])
            moves.resizes("with a restart", ACCELERATORS, [])
            moves.snapshots()
        finally:
            dsvm(home.root, "rm", "--yes", cwd=moves.place)
    save("moves", "Another size, and back", TEXT, _figures(moves), runs=moves.runs.json())


def _figures(moves: Moves) -> list[Figure]:
    runs, gib = moves.runs, moves.gib
    found = []
    for what, target in (("resize", 60.0), ("with a restart", 60.0)):
        title = "resize" if what == "resize" else "resize with a restart"
        found.append(Figure(title, runs.median(what), "s", target, values=runs.seconds(what)))
        by = ratios(runs, what, f"{what}: plain")
        middle = statistics.median(by)
        found.append(Figure(f"{title} by stop, start and checks", middle, "x", 2.0, values=by))
    for what, target in (("snapshot", 2.0), ("restore", 5.0)):
        title = f"{what} with {gib} GiB written"
        found.append(Figure(title, runs.median(what), "s", target, values=runs.seconds(what)))
    found.append(Figure("what a snapshot adds at once", max(moves.added), "of its data", 0.01))
    copy = runs.median("copy") / runs.median("snapshot")
    found.append(Figure("a copy of the disk by a snapshot", copy, "x"))
    return found


if __name__ == "__main__":
    main()
