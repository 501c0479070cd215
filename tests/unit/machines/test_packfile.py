"""The file of a packed machine: what is written comes back, and nothing else does."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dsvm.machines.packfile import DISK, BadPack, Entry, Manifest, open_pack, write_pack
from tests.unit.machines.support import machine, new_home

Files = dict[str, bytes]


def write(folder: Path, files: Files) -> Path:
    """A pack of a small machine's record with these files."""
    folder.mkdir(exist_ok=True)
    entries, places = [], {}
    for number, (name, content) in enumerate(files.items()):
        digest = hashlib.sha256(content).hexdigest()
        entries.append(Entry(name=name, digest=digest, bytes=len(content)))
        places[name] = folder / str(number)
        places[name].write_bytes(content)
    record = machine(new_home(folder)).record
    manifest = Manifest(made_by="1", record=record, seed={}, files=tuple(entries))
    with (folder / "pack").open("wb") as file:
        write_pack(file, manifest, places, lambda size: None)
    return folder / "pack"


def read(pack: Path) -> Files:
    with open_pack(pack) as reader:
        return {entry.name: b"".join(pieces) for entry, pieces in reader.files()}


def layer(content: bytes) -> str:
    return f"layers/{hashlib.sha256(content).hexdigest()}"


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents=st.lists(st.binary(max_size=3000), unique=True, max_size=4), disk=st.binary())
def test_what_is_packed_comes_back(tmp_path: Path, contents: list[bytes], disk: bytes) -> None:
    files = {**{layer(one): one for one in contents}, DISK: disk}
    assert read(write(tmp_path / "files", files)) == files


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_noticed(tmp_path: Path, place: float, bit: int) -> None:
    files = {layer(b"layer"): b"layer", DISK: bytes(range(256)) * 40}
    pack = write(tmp_path / "files", files)
    content = bytearray(pack.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    pack.write_bytes(content)
    try:
        found = read(pack)
    except BadPack:
        return
    assert found == files  # the bit had no meaning, such as the size of a window


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(part=st.floats(0, 1, exclude_max=True))
def test_a_file_that_is_cut_off_is_noticed(tmp_path: Path, part: float) -> None:
    files = {DISK: bytes(range(256)) * 40}
    pack = write(tmp_path / "files", files)
    content = pack.read_bytes()
    pack.write_bytes(content[: int(part * len(content))])
    try:
        found = read(pack)
    except BadPack:
        return
    assert found == files  # nothing but the end marks was missing
    assert part > 0.9


def repacked(pack: Path, name: str, kind: bytes, content: bytes) -> None:
    """Write the pack anew with its last file under another name, of another kind."""
    with pack.open("rb") as file:
        old = zstandard.ZstdDecompressor().stream_reader(file).read()
    new = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(old)) as source,
        tarfile.open(fileobj=new, mode="w") as tar,
    ):
        *others, _ = source.getmembers()
        for member in others:
            tar.addfile(member, source.extractfile(member))
        member = tarfile.TarInfo(name)
        member.type, member.size, member.linkname = kind, len(content), "/etc/passwd"
        tar.addfile(member, io.BytesIO(content))
    pack.write_bytes(zstandard.compress(new.getvalue()))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../../escaped", tarfile.REGTYPE),
        ("/etc/cron.d/escaped", tarfile.REGTYPE),
        (DISK, tarfile.SYMTYPE),
        (DISK, tarfile.LNKTYPE),
        (DISK, tarfile.FIFOTYPE),
    ],
)
def test_a_file_that_is_not_the_manifests_is_refused(
    tmp_path: Path, name: str, kind: bytes
) -> None:
    pack = write(tmp_path / "files", {DISK: b"disk"})
    repacked(pack, name, kind, b"disk" if kind == tarfile.REGTYPE else b"")
    with pytest.raises(BadPack):
        read(pack)


@pytest.mark.parametrize("name", ["layers/../x", "layers/" + "g" * 64, "/disk.qcow2", "seed.json"])
def test_a_manifest_names_nothing_but_the_disk_and_layers(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        Entry(name=name, digest="0" * 64, bytes=1)
