"""The seed as a disk without a file system; read by `dsvm.guest.seedfile`, which tells the format.

It can be written by anyone, without tools, and anew while the machine runs.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

from dsvm.errors import DsvmError

SERIAL = "dsvm-seed"
HEAD_BYTES = 512
# A running machine's disk keeps its size: room for a seed that grows.
DISK_BYTES = 8 << 20


def pack(files: Mapping[str, bytes]) -> bytes:
    """The content of a seed disk that holds these files. Raises `DsvmError` for too much."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o600
            tar.addfile(entry, io.BytesIO(content))
    body = buffer.getvalue()
    head = f"dsvm-seed 1 {len(body)} {hashlib.sha256(body).hexdigest()}\n".encode()
    data = head.ljust(HEAD_BYTES, b"\0") + body
    if len(data) > DISK_BYTES:
        raise DsvmError(
            "the machine's seed is too large for its disk",
            cause=f"{len(data)} bytes, {DISK_BYTES} fit",
        )
    return data


def write(disk: Path, seed: Path, told: Mapping[str, bytes]) -> None:
    """Write the files of the folder `seed`, and what the engine has told, to `disk`, in place."""
    files = {file.name: file.read_bytes() for file in seed.iterdir() if file.is_file()}
    data = pack({**files, **told})
    descriptor = os.open(disk, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.ftruncate(descriptor, DISK_BYTES)
        os.pwrite(descriptor, data, 0)
    finally:
        os.close(descriptor)
