"""gc frees what no machine needs, and counts each byte once."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from dsvm.build.driver import module_key
from dsvm.build.model import Image, Layer
from dsvm.build.package_set import PackageSet
from dsvm.build.parts import pythons_of
from dsvm.catalog import load_catalog
from dsvm.lock.hints import Hints
from dsvm.lock.model import LockedDriver, LockedEnvironment
from dsvm.machines.gc import gc
from dsvm.machines.state import Machines
from dsvm.store import Store, StoreBusy
from tests.unit.build.examples import locked, make_deb
from tests.unit.machines.support import environment, lock, machine, new_home, tree

BLOCK = 1 << 16
KEPT, LOST_BESIDE, LOST = "aa" + "0" * 62, "aa" + "1" * 62, "bb" + "0" * 62


def test_a_disk_is_counted_once_and_a_machine_keeps_its_own(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    store = Store(home.store)
    kept = machine(home)
    Machines(home).save(kept.record)
    disk, download = store.put(os.urandom(BLOCK)), store.put(os.urandom(BLOCK))
    layer = kept.record.layers[0].model_copy(
        update={"name": "disk", "kind": "disk", "key": "old", "digest": disk}
    )
    store.record_layer("old", Layer.model_validate(layer.model_dump()))
    image = Image(id="old", base="b", digest=disk, bytes=BLOCK, root_offset=1, layers=(layer,))
    store.record_image("old", image)

    would, freed = gc(home, dry_run=True), gc(home)

    assert would == freed
    assert freed.by_kind["images"] == BLOCK
    # The two records go with it; each takes a block of the file system.
    assert BLOCK <= freed.by_kind["downloads"] < BLOCK * 1.5
    assert freed.by_kind["layers"] == 0
    assert not store.has(disk)
    assert not store.has(download)
    assert store.has(kept.record.image.digest)
    assert store.has(kept.record.layers[0].digest)


def test_caches_keep_what_a_known_lock_uses(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    store, log = Store(home.store), tmp_path / "log"
    base = load_catalog().bases["debian-13"]
    names = [name for name in base.python_packages if name.startswith("python3")]
    debs = {name: locked(store, make_deb(tmp_path, name), name) for name in (*names, "mke2fs")}
    mine = lock(tree(*(debs[name] for name in names)))
    mine = mine.model_copy(update={"tools_tree": tree(debs["mke2fs"])})
    Machines(home).save(machine(home, lock=mine).record)
    python = pythons_of(mine, base, {base.name: base}, store, home).own
    kept = [one.unpacked(store, home, log) for one in (python, PackageSet((debs["mke2fs"],)))]
    kept += (home.cache / "closures").iterdir()
    other = PackageSet((debs[names[0]],))
    gone = [other.unpacked(store, home, log), _file(home.cache / "closures" / "old")]
    gone.append(_file(home.cache / "locks" / "key.lock"))
    gone.append(_file(home.cache / "npm" / "_cacache" / "content"))
    kept.append(_file(home.cache / "apt" / "debian-13-used" / "sources.list"))
    kept.append(_file(home.cache / "uv" / "simple" / "numpy"))
    gone.append(_file(home.cache / "apt" / "debian-12-old" / "sources.list"))
    long_ago = time.time() - 31 * 24 * 3600
    os.utime(gone[-1], (long_ago, long_ago))
    os.utime(gone[-1].parent, (long_ago, long_ago))

    would, freed, again = gc(home, dry_run=True), gc(home), gc(home)

    assert would == freed
    assert freed.by_kind["caches"] >= 2 * BLOCK
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in gone)
    assert again.total == 0


def test_the_module_that_a_lock_compiled_is_kept_for_its_next_build(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    store = Store(home.store)
    driver = LockedDriver(
        kernel="6.12.1-amd64", version="550", cuda=12, module="dkms", tree=tree(), why="test"
    )
    mine = lock(tree()).model_copy(update={"driver": driver})
    kept = machine(home, lock=mine)
    Machines(home).save(kept.record)
    made = kept.record.layers[0].model_copy(update={"name": "driver-module", "kind": "module"})
    modules = {module_key(mine, driver): store.put(b"module"), "other": store.put(b"other")}
    for key, digest in modules.items():
        layer = made.model_copy(update={"key": key, "digest": digest})
        store.record_layer(key, Layer.model_validate(layer.model_dump()))

    gc(home)

    assert [store.has(digest) for digest in modules.values()] == [True, False]
    assert store.layer(module_key(mine, driver), Layer)


def test_addresses_are_forgotten_with_the_files_they_lead_to(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    mine = lock(tree(), environment("base", f"{KEPT}==1"))
    mine = mine.model_copy(
        update={"environments": (_with_digest(mine.environments[0], KEPT),)},
    )
    Machines(home).save(machine(home, lock=mine).record)
    hints = Hints(home)
    for digest in (KEPT, LOST_BESIDE, LOST):
        hints.add(digest, f"https://index.example/{digest}")
    hints.save()

    would, freed = gc(home, dry_run=True), gc(home)

    left = Hints(home)
    assert would == freed
    assert freed.by_kind["caches"] > 0
    assert left.get(KEPT) == f"https://index.example/{KEPT}"
    assert left.get(LOST) is left.get(LOST_BESIDE) is None


def test_nothing_of_the_caches_goes_while_a_lock_is_made(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    content = _file(home.cache / "npm" / "content")

    with Store(home.store).using(), pytest.raises(StoreBusy):
        gc(home)

    assert content.exists()


def _file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(BLOCK))
    return path


def _with_digest(environment: LockedEnvironment, digest: str) -> LockedEnvironment:
    (package,) = environment.packages
    named = package.model_copy(update={"sha256": digest})
    return environment.model_copy(update={"packages": (named,)})
