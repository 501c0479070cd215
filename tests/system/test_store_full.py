"""The store on a real file system that is full."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dsvm.build.model import Layer
from dsvm.fetch import Want, download
from dsvm.home import Home
from dsvm.lock import read_lock
from dsvm.machines.machine import Machine
from dsvm.progress import Silent
from dsvm.store import Store, StoreFull, file_digest
from tests.system.typed import Dsvm

MIB = 1024 * 1024
LEFT = 64 * MIB


@contextmanager
def disk(kind: str, size: int, place: Path) -> Iterator[Path]:
    """A real file system of `size` bytes."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder, image = place / "disk", place / "image"
    folder.mkdir()
    if kind == "tmpfs":
        words = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs"]
    else:
        with image.open("wb") as file:
            file.truncate(size)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-m", "0", "-F", image], check=True)
        words = ["-o", "loop", str(image)]
    mounted = subprocess.run(["mount", *words, folder], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small file system here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture(params=["tmpfs", "ext4"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A real file system of 8 MiB."""
    with disk(request.param, 8 * MIB, tmp_path) as folder:
        yield folder


def noise(size: int) -> bytes:
    return os.urandom(size)


def test_full_disk_leaves_the_store_clean(small_disk: Path) -> None:
    store = Store(small_disk / "store")
    kept = store.put(b"survives")

    with pytest.raises(StoreFull) as full:
        store.put(noise(16 * MIB))

    assert "16.0 MiB needed" in (full.value.cause or "")
    assert "free in the store" in (full.value.cause or "")
    assert store.get(kept).read_bytes() == b"survives"
    assert not list(small_disk.rglob("*.partial"))


def test_a_disk_that_fills_while_writing_leaves_the_store_clean(small_disk: Path) -> None:
    store = Store(small_disk / "store")

    def endless() -> None:
        with store.writer() as writer:
            while True:
                writer.write(noise(MIB))

    with pytest.raises(StoreFull) as full:
        endless()
    # What was written so far counts as free: it is gone once the error is seen.
    free = float((full.value.cause or "").split("needed, ")[1].split(" MiB")[0])
    assert free == pytest.approx(store.free_bytes() / MIB, abs=0.5)
    assert not list(small_disk.rglob("*.partial"))
    store.put(b"room again")


def test_a_download_to_a_full_disk_says_so_at_once(small_disk: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(noise(16 * MIB))
    want = Want("file", file_digest(file), file.stat().st_size, (file.as_uri(),))
    with pytest.raises(StoreFull, match=r"16\.0 MiB needed"):
        download([want], Store(small_disk / "store"), Silent())


def test_a_moved_in_file_from_another_disk_is_copied_then_gone(
    small_disk: Path, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    with file.open("wb") as sparse:
        sparse.truncate(6 * MIB)
        sparse.write(b"begin")
    store = Store(small_disk / "store")
    digest = store.put_file(file, move=True)
    store.verify(digest)
    assert not file.exists()
    assert store.get(digest).stat().st_blocks * 512 < 3 * MIB  # its holes are holes again


@pytest.fixture
def full_home(home: Home, small: Machine, small_folder: Path, tmp_path: Path) -> Iterator[Home]:
    """A DSVM_HOME that has all of `small` but its disk, on a file system without room for that."""
    lock, known = read_lock(small_folder / "dsvm.lock"), Store(home.store)
    assert lock
    with disk("ext4", 2048 * MIB, tmp_path) as folder:
        store = Store(folder / "home" / "store")
        for package in (*lock.os.packages, *lock.tools_tree.packages):
            store.put_file(known.get(package.sha256))
        for layer in small.record.image.layers:
            if layer.kind == "os":
                store.put_file(known.get(layer.digest))
                store.record_layer(layer.key, layer)
        room = shutil.disk_usage(folder).free - LEFT
        subprocess.run(["fallocate", "-l", str(room), folder / "ballast"], check=True)
        yield Home(folder / "home")


def test_a_build_on_a_full_disk_says_so_and_keeps_what_it_has_finished(
    full_home: Home, small_folder: Path, tmp_path: Path
) -> None:
    dsvm, store = Dsvm(full_home.root), Store(full_home.store)
    before = finished(store)

    refused = dsvm("build", "--yes", cwd=small_folder)

    assert refused.returncode == 1, refused.stderr
    assert "Traceback" not in refused.stderr
    assert "error: " in refused.stderr
    assert "disk full" in refused.stderr
    assert "free in the store" in refused.stderr
    assert "`dsvm gc`" in refused.stderr
    assert finished(store) == before
    assert store.records("images") == []
    assert not list(full_home.root.rglob("*.partial"))

    (tmp_path / "disk" / "ballast").unlink()
    built = dsvm("build", "--yes", "--json", cwd=small_folder)

    assert built.returncode == 0, built.stderr
    cached = {layer["name"]: layer["cached"] for layer in json.loads(built.stdout)["layers"]}
    assert cached["os"]
    assert not cached["disk"]
    for digest in finished(store):
        store.verify(digest)


def finished(store: Store) -> set[str]:
    """The digests of all layers that count as built."""
    layers = [store.layer(key, Layer) for key in store.records("layers")]
    return {layer.digest for layer in layers if layer}
