"""`dsvm.lock` on disk: JSON, one package a line, so that a diff shows what changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dsvm.errors import DsvmError
from dsvm.lock.model import Lock
from dsvm.whole import write_whole

LOCK_NAME = "dsvm.lock"
"""What a lock is called, beside its definition."""


def read_lock(path: Path) -> Lock | None:
    """The lock in the file; None if there is no file. Raises `DsvmError` if it is not a lock."""
    try:
        return Lock.model_validate_json(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (ValidationError, UnicodeDecodeError, OSError) as fault:
        raise DsvmError(
            f"{path} is not a lock that this dsvm reads",
            cause=str(fault).splitlines()[0]
            if not isinstance(fault, ValidationError)
            else f"{fault.error_count()} faults, the first: {fault.errors()[0]['msg']}",
            remedy="bring back its last good version, or remove it and run `dsvm lock`",
        ) from fault


def lock_file(definition: Path) -> Path:
    """Where the lock of a definition is: beside it."""
    return definition.with_name(LOCK_NAME)


def lock_beside(definition: Path) -> Lock | None:
    """The lock of a definition, as `read_lock`."""
    return read_lock(lock_file(definition))


def write_lock(path: Path, lock: Lock) -> None:
    """Replace the file at once: it is the old lock or the new one, never half of it."""
    try:
        write_whole(path, lock_text(lock).encode())
    except OSError as fault:
        raise DsvmError(f"{path} cannot be written", cause=fault.strerror) from fault


def lock_text(lock: Lock) -> str:
    """The lock as it is written: the same lock gives the same text."""
    return _shown(json.loads(lock.model_dump_json()), "") + "\n"


def _shown(value: Any, indent: str) -> str:
    """JSON, a scalar-only object or list on one line."""
    if not isinstance(value, dict | list) or not value or (indent and _flat(value)):
        return json.dumps(value, ensure_ascii=False)
    deeper = indent + " "
    if isinstance(value, list):
        lines = [deeper + _shown(item, deeper) for item in value]
        return "[\n" + ",\n".join(lines) + f"\n{indent}]"
    lines = [f"{deeper}{json.dumps(key)}: {_shown(item, deeper)}" for key, item in value.items()]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def _flat(value: Any) -> bool:
    items = value.values() if isinstance(value, dict) else value
    return not any(isinstance(item, dict | list) for item in items)
