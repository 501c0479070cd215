"""`dsvm gc`: remove what no machine, lock or image needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dsvm.build import cache as build_cache
from dsvm.build.driver import module_key
from dsvm.build.model import Image, Layer
from dsvm.build.work import remove, sweep
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.lock import LOCK_NAME, read_lock
from dsvm.lock import cache as lock_cache
from dsvm.lock.hints import Hints
from dsvm.lock.model import Lock
from dsvm.machines.frozen import records
from dsvm.machines.model import MachineRecord
from dsvm.machines.state import MachineBusy, Machines
from dsvm.store import Store


@dataclass(frozen=True)
class Freed:
    """Bytes by kind: `layers`, `images`, `downloads`, `caches`, `machines` (half-made ones)."""

    by_kind: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.by_kind.values())


def gc(home: Home, *, folders: tuple[Path, ...] = (), dry_run: bool = False) -> Freed:
    """Free what nothing needs; return how many bytes that gave (or would give).

    Kept are the images and layers that machines and their snapshots run on, and every file that
    their locks or the locks in `folders` name, so that a build from them needs no network. Of the
    caches goes what those locks do not use, and what was not asked for a month. Raises `StoreBusy`.
    """
    machines, store = Machines(home), Store(home.store)
    if not dry_run:
        sweep(home, store)
    known = machines.all()
    places = dict.fromkeys([*(Path(machine.record.folder) for machine in known), *folders])
    past = [one.machine for machine in known for one in records(machine.folder)]
    kept = [*(machine.record for machine in known), *past]
    locks = [lock for place in places if (lock := _lock_in(place))]
    locks += [lock for one in kept for lock in (one.lock, one.disk_lock) if lock]
    keep = set().union(*map(_run_on, kept), *(_module(store, lock) for lock in locks))
    images = [store.image(key, Image) for key in _left(store, "images", keep)]
    layers = [store.layer(key, Layer) for key in _left(store, "layers", keep)]
    disks = {image.digest for image in images if image}
    needless = {
        "layers": _bytes(store, {layer.digest for layer in layers if layer} - disks - keep),
        "images": _bytes(store, disks - keep),
    }
    files = set().union(*map(_locked, locks))
    total = store.gc(keep | files, dry_run=dry_run)
    rest = {
        "downloads": max(0, total - sum(needless.values())),
        "caches": _caches(home, store, locks, files, dry_run),
        "machines": _half_made(machines, dry_run),
    }
    return Freed(needless | rest)


def _run_on(record: MachineRecord) -> set[str]:
    """Ids, keys and digests of what a machine, or a snapshot of it, needs to start."""
    layers = (*record.image.layers, *record.layers)
    keys = {key for layer in layers for key in (layer.key, layer.digest)}
    return {record.image.id, record.image.digest, *keys}


def _module(store: Store, lock: Lock) -> set[str]:
    """Key and digest of the driver's module, which no machine mounts and takes minutes to make."""
    if lock.driver is None:
        return set()
    key = module_key(lock, lock.driver)
    layer = store.layer(key, Layer)
    return {key, layer.digest} if layer else set()


def _locked(lock: Lock) -> set[str]:
    """The digests of all files that a lock names."""
    found = {package.sha256 for tree in lock.trees for package in tree.packages}
    found |= {wheel.sha256 for one in lock.environments for wheel in one.packages}
    helpers = [one.build.npm for one in lock.npm if one.build]
    found |= {package.sha256 for one in (*lock.npm, *helpers) for package in one.packages}
    found |= {package.sha256 for one in lock.cran for package in one.packages}
    found |= {package.sha256 for one in lock.conda for package in one.packages}
    found |= {file.sha256 for one in lock.hub for file in one.files}
    return found | {artifact.sha256 for artifact in lock.artifacts}


def _lock_in(folder: Path) -> Lock | None:
    """A lock that cannot be read keeps nothing: it cannot be built from either."""
    try:
        return read_lock(folder / LOCK_NAME)
    except DsvmError:
        return None


def _left(store: Store, kind: str, keep: set[str]) -> list[str]:
    return [key for key in store.records(kind) if key not in keep]


def _bytes(store: Store, digests: set[str]) -> int:
    """Bytes of disk, for a raw disk is full of holes."""
    return sum(store.get(digest).stat().st_blocks * 512 for digest in digests)


def _caches(home: Home, store: Store, locks: list[Lock], files: set[str], dry_run: bool) -> int:
    """Nothing of it goes while another dsvm locks, fetches or builds."""
    with store.idle() as idle:
        if not idle:
            return 0
        freed = Hints(home).forget(files, dry_run=dry_run)
        for path in (*build_cache.needless(locks, home), *lock_cache.needless(home)):
            freed += _disk_bytes(path)
            if not dry_run and path.is_dir():
                remove(path)
            elif not dry_run:
                path.unlink()
        return freed


def _half_made(machines: Machines, dry_run: bool) -> int:
    """Folders that a killed `up` or `rm` left, unless somebody is at work in them."""
    freed = 0
    for folder in sorted(machines.home.machines.glob("*/")):
        if machines.find(folder.name):
            continue
        try:
            with machines.hold(folder.name, "gc", wait_s=0):
                if machines.find(folder.name) is None:
                    freed += _disk_bytes(folder)
                    if not dry_run:
                        machines.clear(folder.name)
        except MachineBusy:
            continue
    return freed


def _disk_bytes(path: Path) -> int:
    """What the files of a folder, or a file, take on the disk; a file with two names once."""
    states = [one.lstat() for one in (path, *path.rglob("*")) if not one.is_dir()]
    return sum({state.st_ino: state.st_blocks * 512 for state in states}.values())
