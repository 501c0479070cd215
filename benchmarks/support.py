"""What the benchmarks share: a lock with its downloads, runs that are timed, results on disk."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dsvm.engines.qemu import accelerator, firmware
from dsvm.home import Home
from dsvm.lock.model import Lock
from dsvm.store import Store

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
DSVM = str(HERE.parent / "dsvm")
DOWNLOADS = "downloads"


@dataclass
class Taken:
    """Wall-clock seconds of one run, CPU seconds of all its processes, and then of `sync`."""

    seconds: float
    cpu: float | None
    sync: float


@dataclass
class Runs:
    """What several contestants took, in the order in which they ran."""

    taken: dict[str, list[Taken]] = field(default_factory=dict)

    def time(self, name: str, work: Callable[[], object]) -> float:
        """Run it once, from clean page buffers; its seconds."""
        os.sync()
        with cpu_group() as cpu:
            began = time.perf_counter()
            work()
            took = time.perf_counter() - began
            spent = cpu()
        began = time.perf_counter()
        os.sync()
        one = Taken(round(took, 2), spent, round(time.perf_counter() - began, 2))
        self.taken.setdefault(name, []).append(one)
        print(f"{name}: {one.seconds} s, CPU {one.cpu} s, sync {one.sync} s", flush=True)
        return took

    def add(self, name: str, seconds: float) -> None:
        """A time that was measured within another run."""
        self.taken.setdefault(name, []).append(Taken(round(seconds, 2), None, 0.0))

    def seconds(self, name: str) -> list[float]:
        return [one.seconds for one in self.taken[name]]

    def median(self, name: str) -> float:
        return statistics.median(self.seconds(name))

    def json(self) -> dict[str, list[dict[str, float | None]]]:
        return {name: [vars(one) for one in times] for name, times in self.taken.items()}


@dataclass(frozen=True)
class Figure:
    """One line of the page: `value` and its target, which is met when `value` is at most
    (`at_most`) or at least that; `values` are the single runs."""

    what: str
    value: float
    unit: str
    target: float | None = None
    at_most: bool = True
    values: Sequence[float] = ()

    def json(self) -> dict[str, Any]:
        met = None
        if self.target is not None:
            met = self.value <= self.target if self.at_most else self.value >= self.target
        return {
            "what": self.what,
            "value": round(self.value, 3),
            "unit": self.unit,
            "target": self.target,
            "at_most": self.at_most,
            "met": met,
            "values": [round(value, 3) for value in self.values],
        }


def ratios(runs: Runs, above: str, below: str) -> list[float]:
    """Of each round what the one took by what the other took."""
    pairs = zip(runs.seconds(above), runs.seconds(below), strict=True)
    return [one / other for one, other in pairs]


def save(name: str, title: str, text: str, figures: Sequence[Figure], **more: object) -> None:
    """Write benchmarks/results/NAME.json and print its figures."""
    for one in figures:
        print(f"{one.what}: {one.value:.2f} {one.unit} (target {one.target})")
    whole = {
        "title": title,
        "text": text,
        "at": time.strftime("%Y-%m-%d", time.gmtime()),
        "host": host(),
        "figures": [one.json() for one in figures],
        **more,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(whole, indent=1) + "\n")


def host() -> dict[str, object]:
    """The computer in neutral words, and how busy it was."""
    system = platform.freedesktop_os_release()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpus": os.cpu_count(),
        "memory_gib": round(memory / 2**30),
        "system": f"{system.get('NAME', '')} {system.get('VERSION_ID', '')}".strip(),
        "kernel": re.match(r"\d+\.\d+", platform.release()).group(),  # type: ignore[union-attr]
        "kvm": _kvm_runs(),
        "load": round(os.getloadavg()[2], 1),
    }


def _kvm_runs() -> bool:
    """Whether a virtual CPU runs here, not merely whether the device opens."""
    found = firmware.find()
    program = shutil.which("qemu-system-x86_64")
    if not (found and program) or accelerator.refusal(accelerator.KVM):
        return False
    return accelerator.fault(program, accelerator.KVM, found) is None


def dsvm(home: Path, *argv: str, cwd: Path) -> str:
    """The stdout of the command, as a person types it. Raises `CalledProcessError`."""
    environment = {**os.environ, "DSVM_HOME": str(home)}
    command = [DSVM, *argv]
    done = subprocess.run(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, text=True)
    done.check_returncode()
    return done.stdout


def told(home: Path, *argv: str, cwd: Path) -> Any:
    """What the command tells with `--json`."""
    return json.loads(dsvm(home, *argv, "--json", "--yes", cwd=cwd))


def started(home: Home, place: Path, words: list[str], answered: Callable[[], None]) -> float:
    """Seconds from `dsvm start` until it is answered; the command has ended then, too."""
    environment = {**os.environ, "DSVM_HOME": str(home.root)}
    began = time.perf_counter()
    command = [DSVM, "start", *words]
    started = subprocess.Popen(command, cwd=place, env=environment, stderr=subprocess.DEVNULL)
    answered()
    took = time.perf_counter() - began
    if started.wait():
        raise SystemExit("dsvm start failed")
    return took


def files_of(lock: Lock) -> Mapping[str, str]:
    """The files of a lock's OS packages and wheels: name by sha256."""
    trees = (lock.os, lock.tools_tree, *lock.interpreters.values())
    found = {one.sha256: Path(one.path).name for tree in trees for one in tree.packages}
    return found | {one.sha256: one.file for each in lock.environments for one in each.packages}


def copy_downloads(locks: Sequence[Lock], warm: Home, folder: Path) -> None:
    """All files of the locks as `folder/<sha256>`: what every contestant has at hand."""
    folder.mkdir(parents=True)
    for digest in {digest for lock in locks for digest in files_of(lock)}:
        shutil.copyfile(Store(warm.store).get(digest), folder / digest)


def link_wheels(locks: Sequence[Lock], downloads: Path, folder: Path) -> None:
    """The wheels of the locks under their own names in a new folder, out of `copy_downloads`'s."""
    folder.mkdir()
    for wheel in (wheel for lock in locks for one in lock.environments for wheel in one.packages):
        if not (folder / wheel.file).exists():
            (folder / wheel.file).hardlink_to(downloads / wheel.sha256)


def empty_home(root: Path, downloads: Path, warm: Home) -> Home:
    """A home in which nothing is built; its store has the downloads, known to be sound."""
    store = Store(root / "store")
    for file in downloads.iterdir():
        target = store.path(file.name)
        target.parent.mkdir(exist_ok=True)
        target.hardlink_to(file)
        store.sound(file.name)
    for known in ("host-packages.json", "cache/probes"):
        if (warm.root / known).exists():
            (root / known).parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-a", warm.root / known, root / known], check=True)
    return Home(root)


@contextmanager
def cpu_group() -> Iterator[Callable[[], float | None]]:
    """A control group for what the block starts; the CPU seconds spent in it until asked, or
    None where the host has no such group to give."""
    v1 = Path("/sys/fs/cgroup/cpuacct")
    group = (v1 if v1.is_dir() else Path("/sys/fs/cgroup")) / f"dsvm-benchmark-{os.getpid()}"
    try:
        group.mkdir()
        (group / "cgroup.procs").write_text(str(os.getpid()))
    except OSError:
        yield lambda: None
        return

    def spent() -> float:
        if (group / "cpuacct.usage").exists():
            return round(int((group / "cpuacct.usage").read_text()) / 1e9, 1)
        used = re.search(r"usage_usec (\d+)", (group / "cpu.stat").read_text())
        return round(int(used.group(1)) / 1e6, 1) if used else 0.0

    try:
        yield spent
    finally:
        below = sorted(group.rglob("*/"), key=lambda one: -len(one.parts))
        for one in (*below, group):
            with suppress(OSError):  # a process, or its group, may be gone by now
                for process in (one / "cgroup.procs").read_text().split():
                    (group.parent / "cgroup.procs").write_text(process)
                one.rmdir()


def wait_for(url: str) -> None:
    """Until the page answers 200, two minutes at most."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=2) as page:
                if page.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise SystemExit(f"{url} did not answer")
