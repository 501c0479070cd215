"""dsvm beside what a person would do instead, in one run: cold, after a change, once more.

Usage: python -m benchmarks.rivals [--rounds 2] [--folder WHERE] [--small]        (root)

Everybody installs the same locked packages from the same local files. The order changes from
round to round. What is compared with what is said in `TEXT`, which is on the page, too.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import rivals_bare
from benchmarks.rivals_firstboot import FirstBoot
from benchmarks.rivals_oci import VENVS, Oci, base_tree
from benchmarks.support import (
    Figure,
    Runs,
    copy_downloads,
    dsvm,
    empty_home,
    files_of,
    link_wheels,
    ratios,
    save,
    told,
    wait_for,
)
from dsvm.build import debs
from dsvm.catalog.compose import compose
from dsvm.home import Home
from dsvm.lock import fetch_all, make_lock, write_lock
from dsvm.lock.model import Lock
from dsvm.machines.state import Machines
from dsvm.store import Store

MINIMAL = "apt,ca-certificates"
PROGRAMS = {"buildah": "buildah", "mmdebstrap": "mmdebstrap", "mkfs.erofs": "erofs-utils"}
BOOTABLE = "apt,ca-certificates,dbus,systemd,systemd-sysv"
DEFINITION = """\
name = "{name}"
{tools}
[environments.churn]
requirements = [{requirements}]
[size]
memory = "4G"
"""
STARTER = 'profile = "starter"'
SMALL = 'profile = ""\ntools = ["jupyterlab"]'
BEFORE = '"polars", "lightgbm", "pandas", "scikit-learn"'
AFTER = f'{BEFORE}, "humanize"'
TEXT = """\
The profile `starter` and an environment of one's own, `churn`. All install the same locked
packages, which lie on this computer: nothing is downloaded while the clock runs.

- *bare tools*: mmdebstrap, then for each environment `uv pip install` and `mkfs.erofs`, one after
  the other. No byte code, no disk that boots, no digests. When the bytes reach the disk is left to
  the system, as it is with dsvm.
- *OCI image*: buildah (chroot isolation, overlay storage) on a minimal Debian image that is there:
  a layer of apt, then for each environment a layer of `python3 -m venv` and pip.
- *first boot*: a minimal Debian system boots under nspawn and installs the same with apt and pip.
- *one requirement changed*: `churn` gets one small package more. Its layer is the last of the OCI
  image, which is best for it. What installs at first boot installs everything again.
- *a second machine*: it is created when its disk, keys, ports and record are there, counted from
  the command; dsvm's time is until SSH answers and everything in it is mounted; the OCI image until
  JupyterLab answers in a new container; first boot until all is installed. dsvm's checks of all
  tools come after that and are not in it.
"""


@dataclass
class Race:
    """One run: who builds what from where."""

    scratch: Path
    warm: Home
    tools: str
    locks: tuple[Lock, Lock] = field(init=False)
    runs: Runs = field(default_factory=Runs)
    layers: list[dict[str, Any]] = field(default_factory=list)
    created_s: list[float] = field(default_factory=list)
    verify_s: list[float] = field(default_factory=list)
    disk_mib: list[float] = field(default_factory=list)
    locking: dict[str, float] = field(default_factory=dict)

    def prepare(self) -> None:
        before, after = self._locked("before", BEFORE), self._locked("after", AFTER)
        self.locks = before, after
        copy_downloads(self.locks, self.warm, self.downloads)
        link_wheels(self.locks, self.downloads, self.wheels)
        self._repository()
        for base, include in (("minimal", MINIMAL), ("bootable", BOOTABLE)):
            base_tree(before.os.suite, self.repository, self.scratch / f"{base}.tar", include)

    @property
    def downloads(self) -> Path:
        return self.scratch / "downloads"

    @property
    def repository(self) -> Path:
        return self.scratch / "repository"

    @property
    def wheels(self) -> Path:
        return self.scratch / "wheels"

    def round(self, number: int) -> None:
        contestants: list[Callable[[], None]] = [self._bare, self._dsvm, self._oci, self._boot]
        for one in contestants if number % 2 == 0 else reversed(contestants):
            one()

    def _bare(self) -> None:
        work = self.scratch / "bare"
        self.runs.time(
            "bare tools: cold",
            lambda: rivals_bare.build(self.locks[0], self.repository, self.wheels, work),
        )
        shutil.rmtree(work)

    def _dsvm(self) -> None:
        home = empty_home(self.scratch / "home", self.downloads, self.warm)
        first = self._folder("first", "machine", BEFORE, self.locks[0])
        second = self._folder("second", "another", AFTER, self.locks[1])
        built: list[dict[str, Any]] = []

        def build() -> None:
            built.append(told(home.root, "build", cwd=first))

        self.runs.time("dsvm: cold", build)
        self._folder("first", "machine", AFTER, self.locks[1])
        self.runs.time("dsvm: one requirement changed", build)
        self.layers = built[0]["layers"]
        changed = [layer["name"] for layer in built[1]["layers"] if not layer["cached"]]
        if changed != ["env-churn-cpu"]:
            raise SystemExit(f"a changed requirement built {changed} anew")
        began, typed = time.perf_counter(), time.time()
        up = told(home.root, "up", "--engine", "nspawn", cwd=second)
        took = time.perf_counter() - began - up["seconds"]["verify"]
        self.runs.add("dsvm: a second machine", took)
        self.created_s.append(Machines(home).get("another").record.created_at - typed)
        self.verify_s.append(up["seconds"]["verify"])
        disk = Path(up["ssh"]["identity"]).parents[1] / "disk.qcow2"
        self.disk_mib.append(disk.stat().st_blocks * 512 / 2**20)
        dsvm(home.root, "rm", "another", "--yes", cwd=second)
        shutil.rmtree(home.root)

    def _oci(self) -> None:
        base = self.scratch / "minimal.tar"
        image = Oci(self.scratch / "oci", base, self.repository, self.wheels)
        self.runs.time("OCI image: cold", lambda: image.build(self.locks[0]))
        self.runs.time("OCI image: one requirement changed", lambda: image.build(self.locks[1]))
        began = time.perf_counter()
        port = _free_port()
        lab = [f"{VENVS}/jupyter/bin/jupyter-lab", "--allow-root", "--no-browser"]
        started = image.start([*lab, f"--port={port}", "--IdentityProvider.token="])
        wait_for(f"http://127.0.0.1:{port}/lab")
        self.runs.add("OCI image: a second machine", time.perf_counter() - began)
        started.terminate()
        started.wait()
        image.remove()

    def _boot(self) -> None:
        machine = FirstBoot(self.scratch / "boot", self.scratch / "bootable.tar", self.locks[0])
        self.runs.time("first boot: cold", lambda: machine.boot(self.repository, self.wheels))
        machine.remove()

    def _locked(self, folder: str, requirements: str) -> Lock:
        place = self._folder(folder, "machine", requirements)
        _, composition = compose(place / "dsvm.toml")
        began = time.perf_counter()
        lock = make_lock(composition, self.warm)
        locked = time.perf_counter()
        fetch_all(lock, self.warm, sources=composition.sources)
        self.locking = {"lock": locked - began, "fetch": time.perf_counter() - locked}
        return lock

    def _folder(self, folder: str, name: str, requirements: str, lock: Lock | None = None) -> Path:
        place = self.scratch / folder
        place.mkdir(exist_ok=True)
        text = DEFINITION.format(name=name, tools=self.tools, requirements=requirements)
        (place / "dsvm.toml").write_text(text)
        if lock:
            write_lock(place / "dsvm.lock", lock)
        return place

    def _repository(self) -> None:
        """What apt installs from, with real files: links would lead out of a container."""
        store = Store(self.warm.store)
        lock = self.locks[0]
        read = [debs.read(package, store.get(package.sha256)) for package in lock.os.packages]
        debs.repository(read, lock.os.suite, self.repository)
        for link in self.repository.glob("*.deb"):
            digest = link.resolve().name
            link.unlink()
            link.hardlink_to(self.downloads / digest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary folder")
    parser.add_argument(
        "--small", action="store_true", help="try the benchmark itself; no result is written"
    )
    asked = parser.parse_args()
    if lacking := [package for name, package in PROGRAMS.items() if not shutil.which(name)]:
        raise SystemExit(f"the rivals need: apt install {' '.join(lacking)}")
    with tempfile.TemporaryDirectory(prefix="dsvm-benchmark-", dir=asked.folder) as scratch:
        race = Race(Path(scratch), Home.default(), SMALL if asked.small else STARTER)
        race.prepare()
        for number in range(asked.rounds):
            race.round(number)
    if asked.small:
        print(race.runs.json(), *_figures(race), sep="\n")
        return
    lock = race.locks[0]
    save(
        "rivals",
        "Beside what a person would do instead",
        TEXT,
        _figures(race),
        rounds=asked.rounds,
        packages=len(files_of(lock)),
        locking=race.locking,
        runs=race.runs.json(),
        layers=race.layers,
        verify_seconds=race.verify_s,
    )


def _figures(race: Race) -> list[Figure]:
    runs = race.runs

    def middle(what: str, values: list[float], unit: str, target: float | None) -> Figure:
        return Figure(what, statistics.median(values), unit, target, values=values)

    def ratio(what: str, above: str, below: str, target: float | None) -> Figure:
        values = ratios(runs, above, below)
        return Figure(what, statistics.median(values), "x", target, False, values)

    cold, changed, second = (
        f"dsvm: {what}" for what in ("cold", "one requirement changed", "a second machine")
    )
    bare = ratios(runs, cold, "bare tools: cold")
    boot, image = "first boot: cold", "OCI image: one requirement changed"
    return [
        middle("cold build by what the bare tools take", bare, "x", 0.8),
        ratio("cold: the OCI image takes longer", "OCI image: cold", cold, 2),
        ratio("cold: installing at first boot takes longer", boot, cold, 2),
        ratio("one requirement changed: faster than dsvm's cold build", cold, changed, 5),
        ratio("one requirement changed: the OCI image takes longer", image, changed, 10),
        ratio("one requirement changed: installing at first boot takes longer", boot, changed, 10),
        ratio("a second machine: installing at first boot takes longer", boot, second, 20),
        ratio("a second machine: the OCI image takes", "OCI image: a second machine", second, None),
        middle("a second machine is created in", race.created_s, "s", 3),
        middle("a second machine answers SSH after", runs.seconds(second), "s", None),
        middle("a second machine takes of the disk", race.disk_mib, "MiB", None),
    ]


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


if __name__ == "__main__":
    main()
