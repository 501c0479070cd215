"""An exported image: one raw disk that boots by itself, with all layers embedded.

    1 MiB   ESP       the image's own, with another kernel line
            a layer   one partition each, its name the first 36 digits of the layer's digest
            the seed  a partition `dsvm-seed` (dsvm.guest.seedfile)
            root      the image's own; last, so that it grows into the disk it finds

The same image and seed give the same bytes. Nothing is mounted; holes stay holes.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dsvm.build.disk import (
    ESP_OFFSET,
    ESP_SIZE,
    MIB,
    ROOT_OFFSET,
    part_id,
    rounded,
    write_table,
)
from dsvm.build.model import Image
from dsvm.build.tools_tree import ToolsTree
from dsvm.progress import Step
from dsvm.store import Store

SECTOR = 512
NAME_DIGITS = 36
"""So much of a digest a name in a GPT holds: see `dsvm.guest.layers`."""
SEED_NAME = "dsvm-seed"
MAY_RUN = b" ci.di.policy=enabled\n"
ENTRY = "::/loader/entries/dsvm.conf"
_LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
_COPY_AT_ONCE = 64 * MIB


@dataclass(frozen=True)
class Place:
    """A partition of `size` bytes at `offset`, filled from `source` at `begin` (`length` bytes)."""

    name: str
    kind: str
    uuid: str
    offset: int
    size: int
    source: Path
    begin: int
    length: int


def write_image(
    image: Image,
    seed: Path,
    target: Path,
    store: Store,
    tools: ToolsTree,
    scratch: Path,
    log: Path,
    step: Step,
) -> None:
    """Write the disk as `target`; `seed` is the content of the seed's partition.

    Raises `ProgramFailed`, `OSError` when there is no room.
    """
    places = list(_places(image, seed, store, tools, log))
    last = places[-1]
    with target.open("wb") as file:
        file.truncate(last.offset + last.size + MIB)
        for place in places:
            _copy(place, file.fileno(), step)
    lines = [
        f"start={place.offset // SECTOR}, size={place.size // SECTOR}, type={place.kind}, "
        f'uuid={place.uuid}, name="{place.name}"'
        for place in places
    ]
    write_table(target, part_id(image.id, "disk"), lines, tools, log)
    _tell_kernel(target, tools, scratch, log)


def image_bytes(image: Image, seed: Path) -> int:
    """How large the disk will be."""
    embedded = sum(rounded(layer.bytes) for layer in image.layers if layer.mountpoint)
    return image.bytes + embedded + rounded(seed.stat().st_size)


def _places(image: Image, seed: Path, store: Store, tools: ToolsTree, log: Path) -> Iterator[Place]:
    disk = store.get(image.digest)
    said = tools.run("sfdisk", "--json", disk, log=log)
    esp, root = json.loads(said)["partitiontable"]["partitions"]
    yield Place("esp", esp["type"], esp["uuid"], ESP_OFFSET, ESP_SIZE, disk, ESP_OFFSET, ESP_SIZE)
    at = ROOT_OFFSET
    for layer in sorted(image.layers, key=lambda layer: layer.digest):
        if layer.mountpoint:
            size, file = rounded(layer.bytes), store.get(layer.digest)
            name = layer.digest[:NAME_DIGITS]
            yield Place(name, _LINUX, part_id(image.id, name), at, size, file, 0, layer.bytes)
            at += size
    size = rounded(length := seed.stat().st_size)
    yield Place(SEED_NAME, _LINUX, part_id(image.id, SEED_NAME), at, size, seed, 0, length)
    at += size
    size = root["size"] * SECTOR
    yield Place("root", root["type"], root["uuid"], at, size, disk, ROOT_OFFSET, size)


def _copy(place: Place, target: int, step: Step) -> None:
    """Copy what is data; holes are not written."""
    with place.source.open("rb") as file:
        source, at, end = file.fileno(), place.begin, place.begin + place.length
        while at < end:
            try:
                data = os.lseek(source, at, os.SEEK_DATA)
            except OSError as none:
                if none.errno != errno.ENXIO:
                    raise
                data = end
            hole = min(os.lseek(source, data, os.SEEK_HOLE), end) if data < end else end
            step.advance(min(data, end) - at)
            at = data
            while at < hole:
                there = place.offset + at - place.begin
                length = min(hole - at, _COPY_AT_ONCE)
                done = os.copy_file_range(source, target, length, at, there)
                if not done:
                    raise OSError(errno.EIO, f"{place.source} ended too early")
                at += done
                step.advance(done)


def _tell_kernel(target: Path, tools: ToolsTree, scratch: Path, log: Path) -> None:
    """cloud-init's ds-identify asks the kernel's command line whether it may run."""
    drive = f"{target}@@{ESP_OFFSET}"
    entry = scratch / "entry.conf"
    tools.run("mcopy", "-m", "-i", drive, ENTRY, entry, log=log)
    # Its time is part of the image: what mcopy took from the image's own ESP.
    taken = str(int(entry.stat().st_mtime))
    entry.write_bytes(entry.read_bytes().rstrip(b"\n") + MAY_RUN)
    time = {"SOURCE_DATE_EPOCH": taken}
    tools.run("mcopy", "-o", "-i", drive, entry, ENTRY, log=log, env=time)
