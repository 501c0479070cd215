"""The store itself; its layout and rules are drawn in `dsvm.store`."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from dsvm import timing
from dsvm.errors import DsvmError
from dsvm.store.faults import MissingBlob, StoreBusy, StoreFull, binary_size
from dsvm.store.files import (
    DIGEST,
    digests_in,
    expected,
    file_digest,
    fingerprint,
    read_json,
    remove,
    remove_abandoned,
    write_all,
)

# Stays in a CPU's own cache between being read, compared, hashed and written.
CHUNK = 256 * 1024
_ZEROS = bytes(CHUNK)
_FULL = (errno.ENOSPC, errno.EDQUOT)

Record = TypeVar("Record", bound=BaseModel)


class Writer:
    """Takes bytes, hashing them; made by `Store.writer`. `digest` is that of all bytes so far."""

    def __init__(self, store: Store, file: FileIO, needed: int | None) -> None:
        self.size = 0
        self._store = store
        self._file = file
        self._needed = needed
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def write(self, data: bytes | bytearray) -> None:
        """Append. A block of zeros, of up to `CHUNK` bytes, becomes a hole. Raises `StoreFull`."""
        try:
            if data == _ZEROS[: len(data)]:
                self._file.seek(len(data), os.SEEK_CUR)
            else:
                write_all(self._file, data)
        except OSError as fault:
            self._file.truncate(0)  # so that its share counts as free in the message
            raise self._store._fault(fault, self._needed or self.size + len(data)) from fault
        self._hash.update(data)
        self.size += len(data)

    def restart(self) -> None:
        """Forget all bytes so far."""
        self._file.seek(0)
        self._file.truncate()
        self._hash = hashlib.sha256()
        self.size = 0


class Store:
    """The files below one folder. Opening it creates what is missing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("blobs", "partial", "layers", "images", "sound"):
            try:
                (root / name).mkdir(parents=True, exist_ok=True)
            except OSError as fault:
                raise self._fault(fault, 0) from fault

    # -- blobs ---------------------------------------------------------------------------------

    def path(self, digest: str) -> Path:
        """Where the blob lies, or would lie."""
        if not DIGEST.fullmatch(digest):
            raise ValueError(f"not a sha256 in hexadecimal: {digest!r}")
        return self.root / "blobs" / digest[:2] / digest

    def has(self, digest: str, size: int | None = None) -> bool:
        """Is the blob here, and (when `size` in bytes is given) not short or long?"""
        try:
            found = self.path(digest).stat().st_size
        except FileNotFoundError:
            return False
        return size is None or found == size

    def get(self, digest: str) -> Path:
        """The blob's read-only file. Raises `MissingBlob`."""
        path = self.path(digest)
        if not path.is_file():
            raise MissingBlob(
                f"{digest[:16]}… is not in the store",
                cause=f"{path} does not exist",
                remedy="`dsvm build` fetches or builds again what is missing",
            )
        return path

    def put(self, data: bytes) -> str:
        """Keep `data`; return its digest. Raises `StoreFull`."""
        with self.writer(size=len(data)) as writer:
            writer.write(data)
        return writer.digest

    def put_file(self, path: Path, *, expect: str | None = None, move: bool = False) -> str:
        """Keep the content of the file; return its digest.

        With `move` the file itself becomes the blob where it lies on the store's file system, and
        is gone afterwards in any case. Raises `DamagedBlob` when `expect` is another digest, and
        `StoreFull`.
        """
        with timing.step("store"):
            return self._put_file(path, expect, move)

    def _put_file(self, path: Path, expect: str | None, move: bool) -> str:
        if move and path.stat().st_dev == self.root.stat().st_dev:
            digest = file_digest(path)
            expected(digest, expect, str(path))
            self._publish(path, digest)
            return digest
        chunk = bytearray(CHUNK)  # one for all: new memory for each costs as much as hashing it
        with FileIO(path) as source, self.writer(expect, path.stat().st_size) as writer:
            while count := source.readinto(chunk):
                writer.write(chunk if count == CHUNK else chunk[:count])
        if move:
            path.unlink()
        return writer.digest

    @contextmanager
    def writer(self, expect: str | None = None, size: int | None = None) -> Iterator[Writer]:
        """Stream a blob in; it is in the store once the block ends without an exception.

        `expect` is the digest it must have (else `DamagedBlob`), `size` how many bytes are to
        come, if known: too many for the disk raise `StoreFull` before the first is written.
        """
        with self._partial() as (path, file):
            if size is not None and size > self.free_bytes():
                raise self._full(size)
            writer = Writer(self, file, size)
            yield writer
            try:
                file.truncate(writer.size)
            except OSError as fault:
                raise self._fault(fault, size or writer.size) from fault
            expected(writer.digest, expect, "what was written")
            self._publish(path, writer.digest)

    def sound(self, digest: str, size: int | None = None) -> bool:
        """Is the blob here, and its content what its digest says?

        It is hashed where its file has changed since the last time, and once after each boot of
        the host: what a disk loses, no time of a file tells.
        """
        if not self.has(digest, size):
            return False
        path, note = self.path(digest), self.root / "sound" / digest
        state = fingerprint(path)
        if note.is_file() and note.read_text("utf-8") == state:
            return True
        if file_digest(path) != digest:
            return False
        self._note_sound(digest, state)
        return True

    def verify(self, digest: str) -> None:
        """Hash the blob anew. Raises `MissingBlob`, or `DamagedBlob` with its name."""
        path = self.get(digest)
        found = file_digest(path)
        if found != digest:
            # Its file's times may tell nothing of it: from now on `sound` shall see it, too.
            (self.root / "sound" / digest).unlink(missing_ok=True)
        expected(found, digest, str(path))

    def discard(self, digest: str) -> None:
        """Remove one blob, such as a damaged one; it is fetched or built again when needed."""
        self.path(digest).unlink(missing_ok=True)

    # -- records -------------------------------------------------------------------------------

    def layer(self, key: str, model: type[Record]) -> Record | None:
        """The layer recorded under that key, if it and its blobs are here and it can be read."""
        return self._record("layers", key, model)

    def record_layer(self, key: str, record: BaseModel) -> None:
        """Keep the record. Its blobs must be in the store (`MissingBlob`)."""
        self._keep_record("layers", key, record)

    def image(self, image_id: str, model: type[Record]) -> Record | None:
        """The image recorded under that id, if it and its blobs are here and it can be read."""
        return self._record("images", image_id, model)

    def record_image(self, image_id: str, record: BaseModel) -> None:
        """Keep the record. Its blobs must be in the store (`MissingBlob`)."""
        self._keep_record("images", image_id, record)

    def records(self, kind: str) -> list[str]:
        """Keys of all `layers` or `images`, sorted."""
        return sorted(path.stem for path in (self.root / kind).glob("*.json"))

    def _record(self, kind: str, key: str, model: type[Record]) -> Record | None:
        path = self._record_path(kind, key)
        try:
            text = path.read_text("utf-8")
            record = model.model_validate_json(text)
        except (FileNotFoundError, ValueError):  # none, or another version of dsvm wrote it
            return None
        return record if all(self.has(digest) for digest in digests_in(json.loads(text))) else None

    def _keep_record(self, kind: str, key: str, record: BaseModel) -> None:
        text = record.model_dump_json(indent=1)
        for digest in digests_in(json.loads(text)):
            self.get(digest)
        with self._partial() as (path, file):
            try:
                write_all(file, text.encode())
            except OSError as fault:
                raise self._fault(fault, len(text)) from fault
            path.replace(self._record_path(kind, key))

    def _record_path(self, kind: str, key: str) -> Path:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,200}", key) or key.startswith("."):
            raise ValueError(f"not a key of a record: {key!r}")
        return self.root / kind / f"{key}.json"

    # -- keeping and removing ------------------------------------------------------------------

    @contextmanager
    def using(self) -> Iterator[None]:
        """Nothing is removed by `gc` meanwhile. Waits for a gc that is running."""
        with (self.root / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield

    @contextmanager
    def idle(self) -> Iterator[bool]:
        """Whether nobody holds `using()`; if so nobody will until the block ends."""
        with (self.root / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def gc(self, keep: Iterable[str], *, dry_run: bool = False) -> int:
        """Remove all but `keep`; return how many bytes that frees (or would, with `dry_run`).

        `keep` holds digests of blobs, keys of layers and ids of images; the blobs that a kept
        record names are kept too. Raises `StoreBusy` while another process holds `using()`.
        """
        with self.idle() as idle:
            if not idle:
                raise StoreBusy(
                    "the store is in use",
                    cause="another dsvm is building or fetching",
                    remedy="run `dsvm gc` when it has ended",
                )
            freed = sum(remove(path, dry_run) for path in self._garbage(set(keep)))
            return freed + self._abandoned(dry_run)

    def _abandoned(self, dry_run: bool = False) -> int:
        """Remove what killed writers left half written; how many bytes that is."""
        partials = list(self.root.glob("partial/*.partial"))
        return sum(remove_abandoned(path, dry_run) for path in partials)

    def _garbage(self, keep: set[str]) -> list[Path]:
        garbage = []
        for kind in ("layers", "images"):
            for record in self.root.glob(f"{kind}/*.json"):
                if record.stem in keep:
                    keep |= digests_in(read_json(record))
                else:
                    garbage.append(record)
        for kind in ("blobs/*/*", "sound/*"):
            garbage += [path for path in self.root.glob(kind) if path.name not in keep]
        return garbage

    # -- the file system -----------------------------------------------------------------------

    def free_bytes(self) -> int:
        """Room for this user on the store's file system, in bytes."""
        room = os.statvfs(self.root)
        return room.f_bavail * room.f_frsize

    @contextmanager
    def _partial(self) -> Iterator[tuple[Path, FileIO]]:
        """A new file of ours in `partial/`, flocked; removed at the end if it still is there.

        What writers that were killed have left there goes first.
        """
        self._abandoned()
        while True:
            path = self.root / "partial" / f"{secrets.token_hex(8)}.partial"
            try:
                file = FileIO(path, "x")
            except OSError as fault:
                raise self._fault(fault, 0) from fault
            with file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if os.fstat(file.fileno()).st_nlink == 0:
                    continue  # a gc came between open and flock
                try:
                    yield path, file
                finally:
                    path.unlink(missing_ok=True)
                return

    def _publish(self, path: Path, digest: str) -> None:
        target = self.path(digest)
        with self.using():
            if self.sound(digest, path.stat().st_size):
                path.unlink()
                return
            try:
                target.parent.mkdir(exist_ok=True)
                path.chmod(0o444)
                path.replace(target)
            except OSError as fault:
                raise self._fault(fault, path.stat().st_size) from fault
            self._note_sound(digest, fingerprint(target))

    def _note_sound(self, digest: str, state: str) -> None:
        """Only to save time: without room, or where others write, the file is hashed again."""
        with suppress(OSError, DsvmError), self._partial() as (path, file):
            write_all(file, state.encode())
            path.replace(self.root / "sound" / digest)

    def _fault(self, fault: OSError, needed: int) -> DsvmError:
        if fault.errno in _FULL:
            return self._full(needed)
        return DsvmError(
            f"the store {self.root} cannot be written",
            cause=fault.strerror,
            remedy="give dsvm a folder it may write to: DSVM_HOME=/path dsvm ...",
        )

    def _full(self, needed: int) -> StoreFull:
        free = binary_size(self.free_bytes())
        return StoreFull(
            f"no room in the store {self.root}",
            cause=f"disk full: {binary_size(needed)} needed, {free} free in the store",
            remedy="`dsvm gc` removes what no machine uses; DSVM_HOME moves the store",
        )
