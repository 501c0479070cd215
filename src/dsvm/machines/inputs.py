"""Digests of all that `up` reads, so that it knows at once when there is nothing to do."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from dsvm import __version__
from dsvm.lock import lock_file
from dsvm.machines.parts import on_host


def read_inputs(definition: Path) -> dict[str, str]:
    """`definition`, `lock`, `catalog`, `guest`, `files` -> digest.

    Sources that are copied into the machine count by name, size and time; all else by content.
    """
    text = definition.read_bytes()
    folder = definition.parent
    try:
        data = tomllib.loads(text.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        data = {}  # the reader of the definition says what is wrong with it
    package = Path(str(resources.files("dsvm")))
    catalog = [package / folder for folder in ("tools", "bases", "catalog", "models")]
    catalog += [on_host(path, folder) for path in _strings(data, "catalog", "paths")]
    requirements = [on_host(path, folder) for path in _requirement_files(data)]
    copied = data.get("files", {})
    sources = copied.values() if isinstance(copied, dict) else ()
    return {
        "definition": _digest([text, *_contents(requirements)]),
        "lock": _digest(_contents([lock_file(definition)])),
        "catalog": _digest([__version__.encode(), *_contents(catalog)]),
        "guest": _digest(_contents([package / "guest"])),
        "files": _digest(_stamps([on_host(source, folder) for source in map(str, sources)])),
    }


def _strings(data: dict[str, Any], table: str, key: str) -> list[str]:
    inner = data.get(table)
    found = inner.get(key) if isinstance(inner, dict) else None
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def _requirement_files(data: dict[str, Any]) -> list[str]:
    environments = data.get("environments")
    tables = environments.values() if isinstance(environments, dict) else ()
    named = (table.get("file") for table in tables if isinstance(table, dict))
    return [file for file in named if isinstance(file, str)]


def _contents(paths: Iterable[Path]) -> Iterator[bytes]:
    """Names below the paths and contents: the same wherever dsvm and the definition lie."""
    for place in paths:
        for path in _files([place]):
            yield str(path.relative_to(place.parent)).encode()
            yield path.read_bytes()


def _stamps(paths: Iterable[Path]) -> Iterator[bytes]:
    for path in _files(paths):
        found = path.lstat()
        yield f"{path}\0{found.st_size}\0{found.st_mtime_ns}\0{found.st_mode}".encode()


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            inner = (entry for entry in path.rglob("*") if "__pycache__" not in entry.parts)
            yield from sorted(entry for entry in inner if entry.is_file())
        elif path.is_file():
            yield path


def _digest(parts: Iterable[bytes]) -> str:
    """Each part is preceded by its length, so that two lists never make the same bytes."""
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8) + part)
    return total.hexdigest()
