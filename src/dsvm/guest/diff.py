"""What a user changed in an environment: the overlay compared with the layer below it.

Only what any user may read is looked at (no attributes of the kernel's own), so that everybody can
ask for an own diff.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from dsvm.guest.distributions import Distribution, installed


@dataclass
class Diff:
    """Packages by version, and files that belong to none of these packages."""

    added: dict[str, str] = field(default_factory=dict)
    removed: dict[str, str] = field(default_factory=dict)
    changed: dict[str, tuple[str, str]] = field(default_factory=dict)
    files_added: list[str] = field(default_factory=list)
    files_changed: list[str] = field(default_factory=list)
    files_removed: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any(asdict(self).values())

    def lines(self) -> list[str]:
        """The diff as people read it; empty when nothing was changed."""
        out = [f"+ {name} {version}" for name, version in self.added.items()]
        out += [f"- {name} {version}" for name, version in self.removed.items()]
        out += [f"~ {name} {old} -> {new}" for name, (old, new) in self.changed.items()]
        out += [f"+ {file}" for file in self.files_added]
        out += [f"- {file}" for file in self.files_removed]
        return out + [f"~ {file}" for file in self.files_changed]


def diff(layer: Path, upper: Path, merged: Path) -> Diff:
    """Compare; `merged` is where layer and `upper` are seen as one."""
    found = Diff()
    proven, now = installed(layer), installed(merged)
    for name in sorted(proven.keys() | now.keys()):
        old, new = proven.get(name), now.get(name)
        if old is None and new is not None:
            found.added[name] = new.version
        elif new is None and old is not None:
            found.removed[name] = old.version
        elif old and new and old.version != new.version:
            found.changed[name] = (old.version, new.version)
    told = found.added.keys() | found.removed.keys() | found.changed.keys()
    known = _files_of(proven, layer, told) | _files_of(now, merged, told)
    _compare_files(layer, upper, merged, known, found)
    return found


def _files_of(have: dict[str, Distribution], prefix: Path, names: set[str]) -> set[str]:
    return {str(file) for name in names & have.keys() for file in have[name].files(prefix)}


def _compare_files(layer: Path, upper: Path, merged: Path, known: set[str], found: Diff) -> None:
    for below, directories, names in os.walk(upper):
        here = Path(below).relative_to(upper)
        if "__pycache__" in directories:
            directories.remove("__pycache__")
        links = [name for name in directories if Path(below, name).is_symlink()]
        for name in [*names, *links]:
            file = here / name
            if str(file) not in known and os.path.lexists(merged / file):
                there = os.path.lexists(layer / file)
                (found.files_changed if there else found.files_added).append(str(file))
        _removed(layer / here, merged / here, here, known, found)
    for files in (found.files_added, found.files_changed, found.files_removed):
        files.sort()


def _removed(layer: Path, merged: Path, here: Path, known: set[str], found: Diff) -> None:
    """Names the layer has and the merged tree no longer has; not those of a told package."""
    for name in _names(layer) - _names(merged) - {"__pycache__"}:
        gone = here / name
        if str(gone) not in known and not _all_known(layer / name, gone, known):
            found.files_removed.append(str(gone))


def _names(directory: Path) -> set[str]:
    return {entry.name for entry in directory.iterdir()} if directory.is_dir() else set()


def _all_known(directory: Path, name: Path, known: set[str]) -> bool:
    if not directory.is_dir() or directory.is_symlink():
        return False
    held = [
        name / Path(below, file).relative_to(directory)
        for below, _, files in os.walk(directory)
        for file in files
        if not below.endswith("__pycache__")
    ]
    return all(str(file) in known for file in held)
