"""Grows the last partition of a qcow2 disk and the ext4 in it to the disk's end.

Run as `python -m dsvm.machines.grow DISK` in mount and pid namespaces of its own, so that the
FUSE mount and the storage daemon end with it.
"""

from __future__ import annotations

import json
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


def main(disk: Path) -> int:
    with scratch.folder("grow") as folder:
        with storage.exported(disk, folder / "disk", folder / "log") as raw:
            window = _grow_partition(raw)
        # On its own, not as `disk?offset=`: resize2fs cuts a file off where its system ends.
        with storage.exported(disk, folder / "root", folder / "log", window) as root:
            _grow_file_system(root)
    return 0


def root_window(raw: Path) -> tuple[int, int]:
    """The place of the root partition, which is the last: offset and length in bytes."""
    last = max(_table(raw)["partitions"], key=lambda one: one["start"])
    return last["start"] * SECTOR, last["size"] * SECTOR


def _table(raw: Path) -> dict[str, Any]:
    return dict(json.loads(run(["sfdisk", "--json", raw]).stdout)["partitiontable"])


def _grow_partition(raw: Path) -> tuple[int, int]:
    """The new place of the root partition: offset and length in bytes."""
    # The copy of the table at the old end moves to the new one; its place is the partition's now.
    run(["sfdisk", "--quiet", "--relocate", "gpt-bak-std", raw])
    table = _table(raw)
    starts = [partition["start"] for partition in table["partitions"]]
    start = max(starts)
    # Whole MiB, so that the file system fills the partition to its last byte.
    sectors = (table["lastlba"] + 1 - start) // MIB_SECTORS * MIB_SECTORS
    options = ["--quiet", "--no-reread", "--no-tell-kernel", "--wipe=never"]
    number = str(starts.index(start) + 1)
    run(["sfdisk", *options, "-N", number, raw], stdin=f"{start}, {sectors}\n".encode())
    return start * SECTOR, sectors * SECTOR


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
        sys.exit(main(Path(sys.argv[1])))
    except DsvmError as failed:
        sys.exit(str(failed))
