"""gc frees what no machine needs, and counts each byte once."""

from __future__ import annotations

import os
from pathlib import Path

from dsvm.build.model import Image, Layer
from dsvm.machines.gc import gc
from dsvm.machines.state import Machines
from dsvm.store import Store
from tests.unit.machines.support import machine, new_home

BLOCK = 1 << 16


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
