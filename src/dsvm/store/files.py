"""Single files of the store: hashed, written whole, synced, removed, read for digests."""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
from io import FileIO
from pathlib import Path

from dsvm.store.faults import DamagedBlob

_BOOT = Path("/proc/sys/kernel/random/boot_id")
DIGEST = re.compile(r"[0-9a-f]{64}")


def file_digest(path: Path) -> str:
    """The sha256 (hex) of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(path: Path) -> str:
    """What changes with a file's content, and with the host's boot (random(4): boot_id)."""
    state = path.stat()
    boot = _BOOT.read_text("ascii").strip() if _BOOT.exists() else ""
    return f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns} {boot}"


def expected(digest: str, expect: str | None, what: str) -> None:
    if expect is not None and digest != expect:
        raise DamagedBlob(
            f"{expect[:16]}… is damaged",
            cause=f"{what} has the sha256 {digest}, not {expect}",
            remedy="remove it; it is fetched or built again when it is needed",
        )


def write_all(file: FileIO, data: bytes | bytearray) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def read_json(path: Path) -> object:
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError:
        return None


def digests_in(record: object) -> set[str]:
    """Every sha256 under a key `digest`, at any depth."""
    if isinstance(record, list):
        return set().union(*map(digests_in, record))
    if not isinstance(record, dict):
        return set()
    found = set().union(*map(digests_in, record.values()))
    digest = record.get("digest")
    return found | {digest} if isinstance(digest, str) and DIGEST.fullmatch(digest) else found


def remove_abandoned(partial: Path, dry_run: bool) -> int:
    """Remove the file if its writer is dead, which is if nobody holds the flock."""
    try:
        with partial.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Still locked, so that a writer between open and flock finds it gone, not half gone.
            return remove(partial, dry_run)
    except (BlockingIOError, FileNotFoundError):
        return 0


def remove(path: Path, dry_run: bool) -> int:
    """Bytes of disk the file takes; the file is gone afterwards unless `dry_run`."""
    freed = path.stat().st_blocks * 512
    if not dry_run:
        path.unlink()
    return freed
