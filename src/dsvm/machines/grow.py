"""Grows the last partition of a qcow2 disk to the disk's end, and the ext4 in it to a size.

Run as `python -m dsvm.machines.grow DISK BYTES` in mount and pid namespaces of its own, so that
the FUSE mount and the storage daemon end with it. `BYTES` is how much the file system shall take.
"""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path
from typing import Any

from dsvm import scratch
from dsvm.engines import storage
from dsvm.errors import DsvmError
from dsvm.programs import run

SECTOR = 512
MIB_SECTORS = 2048
E2FSCK_FIXED = 1
LARGER_ALREADY = "the file system is larger already"
# struct ext4_super_block: where it lies, and its s_blocks_count_lo, s_log_block_size and
# s_blocks_count_hi (which is 0 where the feature 64bit is not set).
SUPERBLOCK = 1024
_BLOCKS_LOW, _LOG_BLOCK_SIZE, _BLOCKS_HIGH = 4, 24, 0x150
_FIELD = struct.Struct("<I")


def main(disk: Path, size: int) -> int:
    with scratch.folder("grow") as folder:
        with storage.exported(disk, folder / "disk", folder / "log") as raw:
            start = _grow_partition(raw)
            there = file_system_bytes(raw, start)
        if there > size:
            raise DsvmError(LARGER_ALREADY, cause=f"{there} bytes")
        if there < size:
            # Just as large as it shall be: resize2fs cuts a file off where its system ends.
            window = (start, size)
            with storage.exported(disk, folder / "root", folder / "log", window) as root:
                _grow_file_system(root)
    return 0


def root_window(raw: Path) -> tuple[int, int]:
    """The place of the root partition, which is the last: offset and length in bytes."""
    last = max(_table(raw)["partitions"], key=lambda one: int(one["start"]))
    return int(last["start"]) * SECTOR, int(last["size"]) * SECTOR


def file_system_bytes(raw: Path, start: int) -> int:
    """How much of the disk the ext4 that begins at `start` takes."""
    with raw.open("rb") as file:
        file.seek(start + SUPERBLOCK)
        block = file.read(SUPERBLOCK)
    places = (_BLOCKS_LOW, _LOG_BLOCK_SIZE, _BLOCKS_HIGH)
    low, shift, high = (int(_FIELD.unpack_from(block, at)[0]) for at in places)
    return (high << 32 | low) * (1024 << shift)


def _table(raw: Path) -> dict[str, Any]:
    return dict(json.loads(run(["sfdisk", "--json", raw]).stdout)["partitiontable"])


def _grow_partition(raw: Path) -> int:
    """Where the root partition begins, in bytes."""
    # The copy of the table at the old end moves to the new one; its place is the partition's now.
    run(["sfdisk", "--quiet", "--relocate", "gpt-bak-std", raw])
    table = _table(raw)
    starts = [int(partition["start"]) for partition in table["partitions"]]
    start = max(starts)
    sectors = (table["lastlba"] + 1 - start) // MIB_SECTORS * MIB_SECTORS
    options = ["--quiet", "--no-reread", "--no-tell-kernel", "--wipe=never"]
    number = str(starts.index(start) + 1)
    run(["sfdisk", *options, "-N", number, raw], stdin=f"{start}, {sectors}\n".encode())
    return start * SECTOR


def _grow_file_system(root: Path) -> None:
    # resize2fs asks for a check of a file system that was mounted since its last one.
    if run(["resize2fs", root], check=False).returncode != 0:
        checked = run(["e2fsck", "-f", "-p", root], check=False)
        if checked.returncode not in (0, E2FSCK_FIXED):
            said = checked.stdout + checked.stderr
            raise DsvmError("the root file system is damaged", cause=said)
        run(["resize2fs", root])


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
    except DsvmError as failed:
        sys.exit(str(failed))
