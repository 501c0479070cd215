"""Find and read `dsvm.toml`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsvm.definition.faults import Faults, SourceText, parse_toml, read_text
from dsvm.definition.model import Definition
from dsvm.definition.translate import checked
from dsvm.errors import DsvmError, ErrorGroup

if TYPE_CHECKING:
    from dsvm.definition.requirements import RequirementSet

FILE_NAME = "dsvm.toml"


@dataclass
class Draft:
    """A definition with the mistakes found so far; what is wrong has been left out of it.

    `folder` is where dsvm.toml lies, `requirements` what the own environments ask for. The
    catalog adds what only it can know to `faults` before they are raised.
    """

    definition: Definition
    folder: Path
    source: SourceText
    faults: Faults
    requirements: dict[str, RequirementSet] = field(default_factory=dict)


def find(start: Path) -> Path | None:
    """`dsvm.toml` in the folder `start` or the nearest parent that has one."""
    start = start.absolute()
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).exists():
            return folder / FILE_NAME
    return None


def draft(path: Path, text: str | None = None) -> Draft:
    """Read `path`, or `text` as if it stood there, and collect the mistakes.

    Raises only if it is no TOML text at all.
    """
    from dsvm.definition.checks import Checker  # slow to load; a machine's name needs it not

    path = path.absolute()
    source, data = _toml(path, text)
    faults = Faults()
    definition = checked(Definition, data, source, faults, {"name": "unnamed"})
    if definition is None:
        faults.raise_if_any()
        raise DsvmError(f"`{path.name}` cannot be understood")
    found = Draft(definition, path.parent, source, faults)
    found.requirements = Checker(definition, path.parent, source, faults).check()
    return found


def read(path: Path) -> Definition:
    """The definition in `path`. Raises `ErrorGroup` with all its mistakes.

    Names of tools, profiles and bases are checked by `dsvm.catalog.compose`.
    """
    found = draft(path)
    found.faults.raise_if_any()
    return found.definition


def read_name(path: Path) -> str:
    """Only the machine's name: works also while the rest of the definition has mistakes."""
    source, data = _toml(path.absolute())
    faults = Faults()
    named = {"name": data["name"]} if "name" in data else {}
    definition = checked(Definition, named, source, faults)
    faults.raise_if_any()
    if definition is None:
        raise DsvmError(f"`{path.name}` has no name")
    return definition.name


def _toml(path: Path, text: str | None = None) -> tuple[SourceText, dict[str, Any]]:
    try:
        if text is None:
            text = read_text(path, path.name)
        return parse_toml(text, path.name)
    except DsvmError as wrong:
        raise ErrorGroup([wrong]) from None
