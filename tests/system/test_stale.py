"""Nothing of a deleted file stays in the blocks of a disk. Real file systems, made by mke2fs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dsvm.machines.stale import CLUSTER, erase_stale

pytestmark = pytest.mark.usefixtures("home")  # with the host's packages
DELETED = b"what was deleted before\n"
BLOCK = 4096
SIZE = 64 << 20


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A file system of which every block that it does not use is full of an older file."""
    disk = tmp_path / "root"
    disk.write_bytes((DELETED * (SIZE // len(DELETED) + 1))[:SIZE])
    make = ["mke2fs", "-q", "-F", "-t", "ext4", "-b", str(BLOCK), "-E"]
    subprocess.run([*make, "nodiscard,lazy_itable_init=0", disk], check=True)
    (tmp_path / "note").write_bytes(b"kept\n" * 30_000)
    debugfs(disk, f"write {tmp_path}/note note")
    return disk


def debugfs(disk: Path, request: str) -> bytes:
    done = subprocess.run(["debugfs", "-w", "-R", request, disk], check=True, capture_output=True)
    return done.stdout


def clusters(disk: Path) -> list[bytes]:
    content = disk.read_bytes()
    return [content[place : place + CLUSTER] for place in range(0, SIZE, CLUSTER)]


def test_a_cluster_that_is_used_in_part_holds_nothing_of_what_was_there(root: Path) -> None:
    erase_stale(root)

    held = [one for one in clusters(root) if DELETED in one]
    assert held  # a qcow2 forgets those
    # Nothing but the older file: no block of them is in use.
    assert all(set(one) <= set(DELETED) for one in held)
    assert debugfs(root, "cat note") == b"kept\n" * 30_000


def test_what_a_file_has_reserved_holds_nothing_of_what_was_there(root: Path) -> None:
    (root.parent / "empty").write_bytes(b"")
    debugfs(root, f"write {root.parent}/empty journal")
    debugfs(root, "fallocate journal 0 2047")
    (place,) = debugfs(root, "blocks journal").split()[:1]
    at = int(place) * BLOCK
    assert DELETED in root.read_bytes()[at : at + BLOCK]

    erase_stale(root)

    blocks = [int(word) for word in debugfs(root, "blocks journal").split()]
    content = root.read_bytes()
    assert len(blocks) == 2048
    assert not any(any(content[one * BLOCK : (one + 1) * BLOCK]) for one in blocks)
    assert subprocess.run(["e2fsck", "-f", "-n", root], capture_output=True).returncode == 0


def test_what_is_free_and_empty_stays_a_hole(tmp_path: Path) -> None:
    disk = tmp_path / "root"
    with disk.open("wb") as file:
        file.truncate(SIZE)
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", disk], check=True)
    before = disk.stat().st_blocks

    erase_stale(disk)

    assert disk.stat().st_blocks == before
