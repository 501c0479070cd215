"""Configuration files of the tools, written once; what a person changes in them stays."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from dsvm.guest.places import CONFIG
from dsvm.guest.seed import Seed
from dsvm.guest.system import write


def apply(seed: Seed) -> set[str]:
    """Write each file whose text is another one than dsvm wrote last; take back what is gone.
    Returns the paths of those that were written.

    A file whose folder is not there belongs to a program that is not installed yet: its package
    would take it for somebody else's.
    """
    before = _written()
    now = dict(before)
    wanted = {one["path"]: one["text"] for one in seed.get("files", [])}
    for path, text in wanted.items():
        if before.get(path) != _digest(text.encode()) and Path(path).parent.is_dir():
            write(Path(path), text)
            now[path] = _digest(text.encode())
    for path in before.keys() - wanted.keys():
        file = Path(path)
        if file.is_file() and _digest(file.read_bytes()) == before[path]:
            file.unlink()
        del now[path]
    if now != before:
        write(CONFIG, json.dumps(now, indent=1) + "\n")
    return {path for path, digest in now.items() if before.get(path) != digest}


def _written() -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(CONFIG.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
