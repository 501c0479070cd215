"""Takes from a disk what its host told it: the machine's own key, and inherited configuration.

Run as `python -m dsvm.machines.clean DISK` in mount and pid namespaces of its own, as
`dsvm.machines.grow` is. The next start writes what it needs anew. Each file's blocks are zeroed
before it goes (debugfs only unlinks), and what no file has is discarded or zeroed
(`dsvm.machines.stale`), so that deleted files do not travel either.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path

from dsvm import scratch
from dsvm.engines import storage
from dsvm.errors import DsvmError
from dsvm.guest.identity import HOST_KEY
from dsvm.guest.network import ORIGINALS, RECORD
from dsvm.machines.grow import E2FSCK_FIXED, root_window
from dsvm.machines.machine import LOGIN
from dsvm.machines.stale import erase_stale
from dsvm.programs import run

SUPERBLOCK = 1024
LOG_BLOCK_SIZE = SUPERBLOCK + 24
"""Of ext4: a block has 1024 << s_log_block_size bytes (struct ext4_super_block)."""
PLAIN = re.compile(r"/[A-Za-z0-9._/%+@-]+")
"""Names that debugfs takes as one word."""


def main(disk: Path) -> int:
    with scratch.folder("clean") as folder:
        with storage.exported(disk, folder / "disk", folder / "log") as raw:
            window = root_window(raw)
        with storage.exported(disk, folder / "root", folder / "log", window) as root:
            _check(root)
            for name in _told_by_the_host(root):
                _erase(root, name)
            _check(root, "-E", "discard")
            erase_stale(root)
    return 0


def _told_by_the_host(root: Path) -> list[str]:
    """The files to erase. One that its user has changed since is the user's, and stays."""
    found = [str(HOST_KEY), f"{HOST_KEY}.pub"]
    text = _content(root, str(RECORD))
    record: dict[str, str] = json.loads(text) if text else {}
    for name, digest in record.items():
        place = f"/home/{LOGIN}/{name[2:]}" if name.startswith("~/") else name
        if hashlib.sha256(_content(root, place)).hexdigest() == digest:
            found.append(place)
    found += [f"{ORIGINALS}/{name}" for name in _names(root, str(ORIGINALS))]
    return [name for name in found if _blocks(root, name)]


def _erase(root: Path, name: str) -> None:
    with root.open("r+b", buffering=0) as disk:
        disk.seek(LOG_BLOCK_SIZE)
        size = 1024 << int.from_bytes(disk.read(4), "little")
        for block in _blocks(root, name):
            disk.seek(block * size)
            disk.write(bytes(size))
    _debugfs(root, "-w", f"rm {name}")


def _blocks(root: Path, name: str) -> list[int]:
    return [int(word) for word in _debugfs(root, f"blocks {name}").split() if word.isdecimal()]


def _names(root: Path, folder: str) -> list[str]:
    """The entries of a folder; a line of `ls -p` is `/inode/mode/uid/gid/name/size/`."""
    lines = _debugfs(root, f"ls -p {folder}").splitlines()
    names = [line.split("/")[5] for line in lines if line.count("/") >= 7]
    return [name for name in names if name not in (".", "..")]


def _content(root: Path, name: str) -> bytes:
    return _debugfs(root, f"cat {name}").encode() if PLAIN.fullmatch(name) else b""


def _debugfs(root: Path, *words: str) -> str:
    """Its stdout; of a name that is not there it speaks on stderr, and ends with 0."""
    *options, request = words
    name = request.rpartition(" ")[2]
    if not PLAIN.fullmatch(name):
        raise DsvmError(f"{name!r} cannot be erased from the disk")
    return run(["debugfs", *options, "-R", request, root]).stdout


def _check(root: Path, *options: str) -> None:
    done = run(["e2fsck", "-f", "-p", *options, root], check=False)
    if done.returncode not in (0, E2FSCK_FIXED):
        raise DsvmError("the root file system is damaged", cause=done.stdout + done.stderr)


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1])))
    except DsvmError as failed:
        sys.exit(str(failed))
