"""A conda channel with two small real packages: one for this architecture, one for any."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

PLACEHOLDER = "/placeholder_" + "x" * 60
SCRIPT = f"#!/bin/sh\n. {PLACEHOLDER}/share/words/words.sh\necho $WORDS\n"


def channel(folder: Path, platform: str) -> None:
    """`say` (for the platform, needs a C library) needs `words` (for any) of at least 1.1."""
    words = {"share/words/words.sh": "WORDS='from the channel'\n"}
    _index(
        folder / "noarch",
        package(folder / "noarch", "words", "1.0", words, noarch="generic"),
        package(folder / "noarch", "words", "1.2", words, noarch="generic"),
    )
    needs = ["words >=1.1", "__glibc >=2.17"]
    say = package(folder / platform, "say", "3.1", {"bin/say": SCRIPT}, depends=needs)
    _index(folder / platform, say)


def package(
    folder: Path,
    name: str,
    version: str,
    files: dict[str, str],
    depends: list[str] | None = None,
    noarch: str | None = None,
) -> tuple[str, dict[str, object]]:
    """Write one package; returns its file's name and its record in the index."""
    folder.mkdir(parents=True, exist_ok=True)
    record: dict[str, object] = {
        "name": name,
        "version": version,
        "build": "0",
        "build_number": 0,
        "depends": depends or [],
        "subdir": folder.name,
        **({"noarch": noarch} if noarch else {}),
    }
    paths = [_path(path, text) for path, text in files.items()]
    info = {
        "info/index.json": json.dumps(record),
        "info/paths.json": json.dumps({"paths_version": 1, "paths": paths}),
    }
    file = folder / f"{name}-{version}-0.tar.bz2"
    with tarfile.open(file, "w:bz2") as tar:
        for path, text in {**info, **files}.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(text.encode()), 0o755 if "bin/" in path else 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
    data = file.read_bytes()
    record |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return file.name, record | {"md5": hashlib.md5(data, usedforsecurity=False).hexdigest()}


def _path(path: str, text: str) -> dict[str, object]:
    about: dict[str, object] = {
        "_path": path,
        "path_type": "hardlink",
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "size_in_bytes": len(text.encode()),
    }
    if PLACEHOLDER in text:
        about |= {"prefix_placeholder": PLACEHOLDER, "file_mode": "text"}
    return about


def _index(folder: Path, *packages: tuple[str, dict[str, object]]) -> None:
    about = {"info": {"subdir": folder.name}, "packages": dict(packages), "packages.conda": {}}
    (folder / "repodata.json").write_text(json.dumps(about | {"repodata_version": 1}))
