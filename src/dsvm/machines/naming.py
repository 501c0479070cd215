"""Which machine a command means."""

from __future__ import annotations

import tomllib
from pathlib import Path

from dsvm.errors import DsvmError, UsageError

DEFINITION = "dsvm.toml"


def find_definition(folder: Path) -> Path | None:
    """The `dsvm.toml` of this folder or the nearest parent that has one."""
    folder = folder.absolute()
    for place in (folder, *folder.parents):
        if (place / DEFINITION).is_file():
            return place / DEFINITION
    return None


def resolve(name: str | None, folder: Path) -> str:
    """The named machine, else the one that `dsvm.toml` here or above defines.

    Whether it exists is not looked at. Raises `UsageError` when there is no definition, and
    `DsvmError` when it has no name to read.
    """
    if name is not None:
        return name
    definition = find_definition(folder)
    if definition is None:
        raise UsageError(
            "which machine?",
            cause=f"neither `{folder}` nor a folder above it has a {DEFINITION}",
            remedy="name the machine (`dsvm ls` lists them), or `dsvm init` writes a definition",
        )
    return defined_name(definition)


def defined_name(definition: Path) -> str:
    """The machine's name in a definition, which may have mistakes elsewhere."""
    try:
        name = tomllib.loads(definition.read_text(encoding="utf-8")).get("name")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise DsvmError(
            f"{definition} cannot be read", cause=str(wrong), remedy="mend that line"
        ) from None
    if not isinstance(name, str):
        raise DsvmError(
            f"{definition} gives the machine no name", remedy='add a line: name = "lab"'
        )
    return name
