"""Conda packages and the index of a channel, as their specification has them.

`channel` is a channel with two small packages: one for this architecture, one for any.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PLACEHOLDER = "/placeholder_" + "x" * 60
SCRIPT = f"#!/bin/sh\n. {PLACEHOLDER}/share/words/words.sh\necho $WORDS\n"
Entry = tuple[str, dict[str, object]]


@dataclass(frozen=True)
class Package:
    """`noarch` is `generic`, or `python`: then `entry_points` are its commands."""

    name: str
    version: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    depends: Sequence[str] = ()
    noarch: str | None = None
    entry_points: Sequence[str] = ()


def channel(folder: Path, platform: str) -> None:
    """`say` (for the platform, needs a C library) needs `words` (for any) of at least 1.1."""
    words = {"share/words/words.sh": b"WORDS='from the channel'\n"}
    both = [Package("words", version, words, noarch="generic") for version in ("1.0", "1.2")]
    write_index(folder / "noarch", *(write_package(folder / "noarch", one) for one in both))
    needs = ["words >=1.1", "__glibc >=2.17"]
    say = Package("say", "3.1", {"bin/say": SCRIPT.encode()}, needs)
    write_index(folder / platform, write_package(folder / platform, say))


def write_package(folder: Path, package: Package, *, level: int = 9) -> Entry:
    """Write one package; returns its file's name and its record in the index."""
    folder.mkdir(parents=True, exist_ok=True)
    record: dict[str, object] = {
        "name": package.name,
        "version": package.version,
        "build": "0",
        "build_number": 0,
        "depends": list(package.depends),
        "subdir": folder.name,
        **({"noarch": package.noarch} if package.noarch else {}),
    }
    paths = [_path(path, data) for path, data in package.files.items()]
    info: dict[str, object] = {
        "info/index.json": record,
        "info/paths.json": {"paths_version": 1, "paths": paths},
    }
    if package.noarch == "python":
        kind = {"type": "python", "entry_points": list(package.entry_points)}
        info["info/link.json"] = {"noarch": kind, "package_metadata_version": 1}
    notes = {name: json.dumps(said).encode() for name, said in info.items()}
    file = folder / f"{package.name}-{package.version}-0.tar.bz2"
    with tarfile.open(file, "w:bz2", compresslevel=level) as tar:
        for path, data in {**notes, **package.files}.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), 0o755 if path.startswith("bin/") else 0o644
            tar.addfile(entry, io.BytesIO(data))
    data = file.read_bytes()
    record |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return file.name, record | {"md5": hashlib.md5(data, usedforsecurity=False).hexdigest()}


def write_index(folder: Path, *packages: Entry) -> None:
    """The index of one folder of a channel."""
    about = {"info": {"subdir": folder.name}, "packages": dict(packages), "packages.conda": {}}
    (folder / "repodata.json").write_text(json.dumps(about | {"repodata_version": 1}))


def _path(path: str, data: bytes) -> dict[str, object]:
    about: dict[str, object] = {
        "_path": path,
        "path_type": "hardlink",
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_in_bytes": len(data),
    }
    if PLACEHOLDER.encode() in data:
        about |= {"prefix_placeholder": PLACEHOLDER, "file_mode": "text"}
    return about
