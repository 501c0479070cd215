"""The definition and the catalog that a command means."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from dsvm.cli.call import Call

if TYPE_CHECKING:
    from dsvm.catalog import Catalog
    from dsvm.lock.model import Lock


def definition_path() -> Path:
    """`dsvm.toml` of this folder or the nearest parent. Raises `UsageError` without one."""
    from dsvm.definition import FILE_NAME, find
    from dsvm.errors import UsageError

    path = find(Path.cwd())
    if path is None:
        raise UsageError(
            f"neither this folder nor one above it has a {FILE_NAME}",
            remedy="`dsvm init` writes one",
        )
    return path


def lock_of(path: Path) -> Lock:
    """The lock beside a definition. Raises `DsvmError` without one."""
    from dsvm.errors import DsvmError
    from dsvm.lock import LOCK_NAME, lock_beside

    lock = lock_beside(path)
    if lock is None:
        raise DsvmError(f"there is no {LOCK_NAME}", remedy="`dsvm lock` writes it")
    return lock


def write_definition(
    call: Call, folder: Path, *, name: str | None = None, profile: str = "starter"
) -> Path:
    """Write a commented dsvm.toml, kept out of git unless the person decides otherwise."""
    from dsvm.definition import FILE_NAME, template
    from dsvm.errors import DsvmError

    path = folder / FILE_NAME
    if path.exists():
        raise DsvmError(f"{path} exists", remedy="edit it, or remove it first")
    text = template(name or machine_name(folder), profile=profile)
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
    call.console.say(f"wrote {path} with the profile `{profile}`; edit it as you like")
    return path


def machine_name(folder: Path) -> str:
    """The folder's name as a machine's: lower case letters, digits, hyphens."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")[:32].strip("-")
    return name or "lab"


def catalog_here() -> Catalog:
    """The catalog with the tool folders that the definition here names, if there is one."""
    from dsvm.catalog import load_catalog

    return load_catalog(own_catalogs())


def own_catalogs() -> list[Path]:
    """The folders of own tools that the definition here names, if there is one."""
    from dsvm.definition import find, read

    path = find(Path.cwd())
    if path is None:
        return []
    own = read(path).catalog.paths
    return [(path.parent / Path(place).expanduser()).resolve() for place in own]
