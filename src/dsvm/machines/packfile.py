"""The file that carries a machine: a tar, compressed with zstandard, its manifest first.

manifest.json      Manifest: the machine's record and seed without secrets, what follows
layers/<digest>    the image's raw disk and the layers, unless the pack is thin
disk.qcow2         what the machine has written over the image's disk; names no file below it

Every file comes in the order of the manifest, with the size and the sha256 that it says. Nothing is
extracted by name: a reader asks for the next file and gives its own place for it.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, Literal

import zstandard
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dsvm.errors import DsvmError
from dsvm.machines.model import MachineRecord

MANIFEST = "manifest.json"
MANIFEST_MAX = 64 << 20
DISK = "disk.qcow2"
LAYERS = "layers/"
CHUNK = 1 << 20
LEVEL = 3

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Entry(BaseModel):
    """One file: `disk.qcow2`, or `layers/` and its digest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^(disk\.qcow2|layers/[0-9a-f]{64})$")]
    digest: Digest
    bytes: Annotated[int, Field(ge=0)]


class Manifest(BaseModel):
    """`made_by` is the version of dsvm. `record` and `seed` have neither keys nor tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["dsvm-pack"] = "dsvm-pack"
    version: Literal[1] = 1
    made_by: str
    record: MachineRecord
    seed: dict[str, Any]
    files: tuple[Entry, ...]

    @property
    def bytes(self) -> int:
        """What the files take when they are unpacked."""
        return sum(entry.bytes for entry in self.files)


class BadPack(DsvmError):
    """The file is no pack, is damaged, or is cut off."""


def write_pack(
    target: IO[bytes], manifest: Manifest, files: dict[str, Path], told: Callable[[int], None]
) -> None:
    """Write the manifest and its files, found under their names in `files`.

    `told` hears of each piece how many bytes it has. Raises `OSError`.
    """
    compressor = zstandard.ZstdCompressor(level=LEVEL, threads=-1, write_checksum=True)
    with (
        compressor.stream_writer(target, closefd=False) as stream,
        tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        text = manifest.model_dump_json().encode()
        tar.addfile(_member(MANIFEST, len(text)), io.BytesIO(text))
        for entry in manifest.files:
            with files[entry.name].open("rb") as source:
                tar.addfile(_member(entry.name, entry.bytes), _Counted(source, told))


class PackReader:
    """An open pack. `manifest` is read; `files` gives each file once, in order."""

    def __init__(self, path: Path, tar: tarfile.TarFile) -> None:
        self._path = path
        self._tar = tar
        self.manifest = self._manifest()

    def files(self) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        """Each file as pieces of at most 1 MiB. All of them must be taken: what is wrong with a
        file, its last piece tells. Raises `BadPack`."""
        for entry in self.manifest.files:
            yield entry, self._pieces(entry)
        if self._next() is not None:
            raise self._bad("it has files that its manifest does not name")

    def _manifest(self) -> Manifest:
        member = self._next()
        if member is None or member.name != MANIFEST or member.size > MANIFEST_MAX:
            raise self._bad("it does not begin with a manifest")
        text = b"".join(self._read(member))
        try:
            manifest = Manifest.model_validate_json(text)
        except ValidationError as wrong:
            first = wrong.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise self._bad(f"its manifest, {where}: {first['msg']}") from None
        if sum(entry.name == DISK for entry in manifest.files) != 1:
            raise self._bad("its manifest names no disk")
        return manifest

    def _pieces(self, entry: Entry) -> Iterator[bytes]:
        member = self._next()
        if member is None or member.name != entry.name or member.size != entry.bytes:
            raise self._bad(f"{entry.name} does not come where the manifest says")
        found = hashlib.sha256()
        for piece in self._read(member):
            found.update(piece)
            yield piece
        if found.hexdigest() != entry.digest:
            raise self._bad(f"{entry.name} is damaged: its sha256 is {found.hexdigest()}")

    def _next(self) -> tarfile.TarInfo | None:
        with self._faults():
            member = self._tar.next()
        if member is not None and not member.isreg():
            raise self._bad(f"{member.name!r} is no plain file")
        return member

    def _read(self, member: tarfile.TarInfo) -> Iterator[bytes]:
        with self._faults():
            file = self._tar.extractfile(member)
        left = member.size
        while left and file:
            with self._faults():
                piece = file.read(min(CHUNK, left))
            if not piece:
                raise self._bad("it is cut off")
            left -= len(piece)
            yield piece

    @contextmanager
    def _faults(self) -> Iterator[None]:
        with faults(self._path):
            yield

    def _bad(self, cause: str) -> BadPack:
        return _bad(self._path, cause)


@contextmanager
def open_pack(path: Path) -> Iterator[PackReader]:
    """Read a pack from its begin. Raises `BadPack`, and `DsvmError` when it cannot be opened."""
    try:
        file = path.open("rb")
    except OSError as fault:
        raise DsvmError(f"{path} cannot be read", cause=fault.strerror) from None
    with file:
        stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        with faults(path):
            tar = tarfile.open(fileobj=stream, mode="r|")  # noqa: SIM115
        with tar:
            yield PackReader(path, tar)


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """What the libraries say of a bad file, as `BadPack`."""
    try:
        yield
    except (tarfile.TarError, zstandard.ZstdError, EOFError) as fault:
        raise _bad(path, str(fault) or "it is cut off") from None


def _bad(path: Path, cause: str) -> BadPack:
    return BadPack(
        f"{path} cannot be unpacked",
        cause=cause,
        remedy="copy it again from where it was packed; `dsvm pack` makes such files",
    )


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o600
    return member


class _Counted(io.RawIOBase):
    """A file that tells how much of it was read."""

    def __init__(self, source: IO[bytes], told: Callable[[int], None]) -> None:
        self._source = source
        self._told = told

    def read(self, size: int = -1) -> bytes:
        piece = self._source.read(size)
        self._told(len(piece))
        return piece
