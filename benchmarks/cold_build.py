"""A cold build of a definition, downloads warm, against the bare tools in sequence.

Usage: python benchmarks/cold_build.py [dsvm.toml] [--rounds 3]

Bare: mmdebstrap (its own defaults) makes a tar of the locked OS packages, then for each
environment `uv pip install` and `mkfs.erofs`, one after another, on the disk. dsvm: the whole
`build` in an empty DSVM_HOME whose store has the downloads: the same packages, byte code, a
bootable disk, digests, everything synced. Both need root. The rounds alternate which goes first;
the result goes to benchmarks/results/cold_build.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import uv

from dsvm.build import debs
from dsvm.build.build import build
from dsvm.build.model import Image
from dsvm.catalog.compose import Composition, compose
from dsvm.home import Home
from dsvm.lock import fetch_all, make_lock, read_lock
from dsvm.lock.model import Lock
from dsvm.store import Store

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "cold_build.json"
STARTER = 'name = "benchmark"\nprofile = "starter"\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("definition", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary folder")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dsvm-benchmark-", dir=asked.folder) as scratch:
        outcome = _measure(asked.definition, asked.rounds, Path(scratch))
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(outcome, indent=1) + "\n")
    print(json.dumps(outcome, indent=1))


def _measure(definition: Path | None, rounds: int, scratch: Path) -> dict[str, object]:
    if definition is None:
        definition = scratch / "dsvm.toml"
        definition.write_text(STARTER)
    _, composition = compose(definition)
    warm = Home.default()
    lock = read_lock(definition.with_name("dsvm.lock")) or make_lock(composition, warm)
    fetch_all(lock, warm, sources=composition.sources)
    repository = _repository(lock, warm, scratch)
    taken: dict[str, list[float]] = {"bare": [], "dsvm": []}
    images: list[Image] = []
    run: dict[str, Callable[[], None]] = {
        "bare": lambda: _bare(lock, repository, scratch / "bare"),
        "dsvm": lambda: images.append(_build(lock, composition, warm, scratch / "home")),
    }
    for number in range(rounds):
        for name in sorted(run, reverse=bool(number % 2)):
            os.sync()
            _home(lock, warm, scratch / "home")
            began = time.monotonic()
            run[name]()
            taken[name].append(round(time.monotonic() - began, 1))
            shutil.rmtree(scratch / "bare", ignore_errors=True)
            shutil.rmtree(scratch / "home", ignore_errors=True)
    return _outcome(taken, images)


def _outcome(taken: dict[str, list[float]], images: list[Image]) -> dict[str, object]:
    last = images[-1]
    return {
        "what": "cold build of starter, downloads warm, against mmdebstrap + uv + mkfs.erofs",
        "at": time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime()),
        "cpus": os.cpu_count(),
        "load_average": round(os.getloadavg()[2], 1),
        "rounds": len(taken["dsvm"]),
        "seconds": taken,
        "median": {name: statistics.median(times) for name, times in taken.items()},
        "ratio": round(statistics.median(taken["dsvm"]) / statistics.median(taken["bare"]), 2),
        "target": 1.3,
        "same_image_each_time": len({image.id for image in images}) == 1,
        "layers": {layer.name: [layer.seconds, layer.bytes] for layer in last.layers},
        "image_bytes": sum(layer.bytes for layer in last.layers if layer.kind != "os"),
    }


def _home(lock: Lock, warm: Home, root: Path) -> Home:
    """An empty home whose store has the lock's downloads."""
    store, source = Store(root / "store"), Store(warm.store)
    trees = (lock.os, lock.tools_tree, *lock.interpreters.values())
    digests = {package.sha256 for tree in trees for package in tree.packages}
    digests |= {wheel.sha256 for one in lock.environments for wheel in one.packages}
    for digest in digests:
        target = store.path(digest)
        target.parent.mkdir(exist_ok=True)
        try:
            target.hardlink_to(source.get(digest))
        except OSError:
            shutil.copyfile(source.get(digest), target)
    return Home(root)


def _build(lock: Lock, composition: Composition, warm: Home, root: Path) -> Image:
    return build(lock, composition, Home(root))


def _repository(lock: Lock, warm: Home, scratch: Path) -> Path:
    """What the bare tools install from: a local apt repository and a folder of wheels."""
    store = Store(warm.store)
    packages = [debs.read(package, store.get(package.sha256)) for package in lock.os.packages]
    debs.repository(packages, lock.os.suite, scratch / "repository")
    (scratch / "repository" / "wheels").mkdir()
    for wheel in {
        wheel.file: wheel for one in lock.environments for wheel in one.packages
    }.values():
        (scratch / "repository" / "wheels" / wheel.file).hardlink_to(store.get(wheel.sha256))
    return scratch / "repository"


def _bare(lock: Lock, repository: Path, work: Path) -> None:
    work.mkdir()
    names = ",".join(package.name for package in lock.os.packages)
    source = f"deb [trusted=yes] copy:{repository} ./"
    _run(
        "mmdebstrap",
        "--variant=essential",
        f"--include={names}",
        lock.os.suite,
        work / "os.tar",
        source,
    )
    for one in lock.environments:
        pins = [f"{wheel.name}=={wheel.version}" for wheel in one.packages]
        tree = work / f"{one.name}-{one.variant}"
        options: list[str | Path] = [
            "--no-deps",
            "--no-index",
            "--find-links",
            repository / "wheels",
        ]
        target: list[str | Path] = [
            "--target",
            tree,
            "--python-version",
            one.python,
            "--cache-dir",
            work / "cache",
        ]
        glibc = ["--python-platform", "x86_64-manylinux_2_40", "--no-config"]
        _run(uv.find_uv_bin(), "pip", "install", *options, *target, *glibc, *pins)
        _run("mkfs.erofs", "-zlz4", "-C65536", work / f"{tree.name}.erofs", tree)


def _run(*words: str | Path) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True)


if __name__ == "__main__":
    main()
