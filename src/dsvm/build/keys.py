"""Keys: the digest of everything that a layer depends on, and of nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from importlib import resources

from dsvm.lock.model import OsPackage


def key(kind: str, **parts: object) -> str:
    """The key of a layer of this kind: sha256 (hex) of its parts in one canonical form."""
    text = json.dumps({"kind": kind, **parts}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def source_digest(*files: str) -> str:
    """Digest of files of this package by name: the code that builds is part of every key."""
    digest = hashlib.sha256()
    for name in sorted(files):
        text = resources.files("dsvm.build").joinpath(name).read_bytes()
        digest.update(f"{name} {len(text)}\n".encode() + text)
    return digest.hexdigest()


def debs(packages: Iterable[OsPackage]) -> list[str]:
    """What of a set of OS packages goes into a key: their bytes, in any order."""
    return sorted(package.sha256 for package in packages)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
