"""Which machine a command means."""

from __future__ import annotations

from pathlib import Path

from dsvm.definition import FILE_NAME, find, read_name
from dsvm.errors import UsageError


def resolve(name: str | None, folder: Path) -> str:
    """The named machine, else the one that `dsvm.toml` here or above defines.

    Whether it exists is not looked at. Raises `UsageError` when there is no definition, and
    `DsvmError` when it has no name to read.
    """
    if name is not None:
        return name
    definition = find(folder)
    if definition is None:
        raise UsageError(
            "which machine?",
            cause=f"neither `{folder}` nor a folder above it has a {FILE_NAME}",
            remedy="name the machine (`dsvm ls` lists them), or `dsvm init` writes a definition",
        )
    return read_name(definition)
