"""Which machine a command means."""

from __future__ import annotations

import re
from pathlib import Path

from dsvm.definition import FILE_NAME, find, read_name
from dsvm.definition.model import NAME_PATTERN
from dsvm.errors import UsageError


def resolve(name: str | None, folder: Path) -> str:
    """The named machine, else the one that `dsvm.toml` here or above defines.

    Whether it exists is not looked at. Raises `UsageError` when there is no definition, and
    `DsvmError` when it has no name to read.
    """
    if name is not None:
        if not re.fullmatch(NAME_PATTERN, name):  # it becomes a folder: `..` is not one of ours
            raise UsageError(
                f"`{name}` cannot be the name of a machine",
                remedy="names are of a-z, 0-9 and `-`; `dsvm ls` lists them",
            )
        return name
    definition = find(folder)
    if definition is None:
        raise UsageError(
            "which machine?",
            cause=f"neither `{folder}` nor a folder above it has a {FILE_NAME}",
            remedy="name the machine (`dsvm ls` lists them), or `dsvm init` writes a definition",
        )
    return read_name(definition)
