"""The store on a real file system that is full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsvm.fetch import Want, download
from dsvm.progress import Silent
from dsvm.store import Store, StoreFull, file_digest

MIB = 1024 * 1024


@pytest.fixture(params=["tmpfs", "ext4"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A real file system of 8 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder, image = tmp_path / "disk", tmp_path / "image"
    folder.mkdir()
    if request.param == "tmpfs":
        words = ["-t", "tmpfs", "-o", "size=8m", "tmpfs"]
    else:
        with image.open("wb") as file:
            file.truncate(8 * MIB)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-m", "0", "-F", image], check=True)
        words = ["-o", "loop", str(image)]
    mounted = subprocess.run(["mount", *words, folder], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small file system here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


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
