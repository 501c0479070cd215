"""`dsvm gc`: remove what no machine, lock or image needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dsvm.build.model import Image, Layer
from dsvm.build.work import sweep
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.lock import read_lock
from dsvm.lock.model import Lock
from dsvm.machines.inputs import LOCK
from dsvm.machines.machine import Machine
from dsvm.machines.state import MachineBusy, Machines
from dsvm.store import Store


@dataclass(frozen=True)
class Freed:
    """Bytes by kind: `layers`, `images`, `downloads`, `machines` (half-made ones)."""

    by_kind: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.by_kind.values())


def gc(home: Home, *, folders: tuple[Path, ...] = (), dry_run: bool = False) -> Freed:
    """Free what nothing needs; return how many bytes that gave (or would give).

    Kept are the images and layers that machines run on, and every file that their locks or the
    locks in `folders` name, so that a build from them needs no network. Raises `StoreBusy`.
    """
    machines, store = Machines(home), Store(home.store)
    if not dry_run:
        sweep(home, store)
    known = machines.all()
    places = dict.fromkeys([*(Path(machine.record.folder) for machine in known), *folders])
    locks = [machine.record.lock for machine in known]
    locks += [lock for place in places if (lock := _lock_in(place))]
    keep = {digest for machine in known for digest in _run_on(machine)}
    images = [store.image(key, Image) for key in _left(store, "images", keep)]
    layers = [store.layer(key, Layer) for key in _left(store, "layers", keep)]
    disks = {image.digest for image in images if image}
    needless = {
        "layers": _bytes(store, {layer.digest for layer in layers if layer} - disks - keep),
        "images": _bytes(store, disks - keep),
    }
    total = store.gc(keep.union(*map(_locked, locks)), dry_run=dry_run)
    downloads = max(0, total - sum(needless.values()))
    return Freed({**needless, "downloads": downloads, "machines": _half_made(machines, dry_run)})


def _run_on(machine: Machine) -> set[str]:
    """Ids, keys and digests of what a machine needs to start."""
    record = machine.record
    layers = (*record.image.layers, *record.layers)
    keys = {key for layer in layers for key in (layer.key, layer.digest)}
    return {record.image.id, record.image.digest, *keys}


def _locked(lock: Lock) -> set[str]:
    """The digests of all files that a lock names."""
    trees = (lock.os, lock.tools_tree, *lock.interpreters.values())
    found = {package.sha256 for tree in trees for package in tree.packages}
    found |= {wheel.sha256 for one in lock.environments for wheel in one.packages}
    found |= {package.sha256 for one in lock.npm for package in one.packages}
    return found | {artifact.sha256 for artifact in lock.artifacts}


def _lock_in(folder: Path) -> Lock | None:
    """A lock that cannot be read keeps nothing: it cannot be built from either."""
    try:
        return read_lock(folder / LOCK)
    except DsvmError:
        return None


def _left(store: Store, kind: str, keep: set[str]) -> list[str]:
    return [key for key in store.records(kind) if key not in keep]


def _bytes(store: Store, digests: set[str]) -> int:
    """Bytes of disk, for a raw disk is full of holes."""
    return sum(store.get(digest).stat().st_blocks * 512 for digest in digests)


def _half_made(machines: Machines, dry_run: bool) -> int:
    """Folders that a killed `up` or `rm` left, unless somebody is at work in them."""
    freed = 0
    for folder in sorted(machines.home.machines.glob("*/")):
        if machines.find(folder.name):
            continue
        try:
            with machines.hold(folder.name, "gc", wait_s=0):
                if machines.find(folder.name) is None:
                    freed += sum(file.stat().st_blocks * 512 for file in _files(folder))
                    if not dry_run:
                        machines.clear(folder.name)
        except MachineBusy:
            continue
    return freed


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and not file.is_symlink()]
