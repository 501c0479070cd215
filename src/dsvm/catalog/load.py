"""Find and check tool folders, profiles and bases: `load_catalog`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from dsvm.catalog.model import Base, Profile, Tool
from dsvm.catalog.toolchecks import ToolChecker
from dsvm.definition.faults import (
    Faults,
    SourceText,
    nearest,
    parse_toml,
    read_text,
    shown,
    shown_path,
)
from dsvm.definition.translate import checked
from dsvm.errors import DsvmError

PACKAGE = Path(__file__).resolve().parent.parent
FOLDER_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Catalog:
    """All tools, profiles and bases there are, by name."""

    tools: dict[str, Tool]
    profiles: dict[str, Profile]
    bases: dict[str, Base]

    def tool(self, name: str) -> Tool:
        """Raises `DsvmError` with the nearest name."""
        if name not in self.tools:
            raise DsvmError(f"unknown tool `{shown(name, 60)}`", remedy=self.hint(name))
        return self.tools[name]

    def hint(self, name: str) -> str:
        """What a person may mean by a tool that is not there: its heirs, or the nearest name."""
        said = heirs(self.tools.values(), name)
        near = nearest(name, self.tools)
        if said:
            verb = "stands" if len(said) == 1 else "stand"
            return f"{', '.join(f'`{heir.name}`' for heir in said)} {verb} in for it"
        listed = "`dsvm tools` lists them all"
        return f"did you mean `{near}`? {listed}" if near else listed

    def profiles_of(self, tool: str) -> list[str]:
        """The profiles that hold `tool`."""
        return [name for name, profile in self.profiles.items() if tool in profile.tools]

    @property
    def machine_bases(self) -> dict[str, Base]:
        """Those that a machine may have; others only give packages to tools."""
        return {name: base for name, base in self.bases.items() if base.machines}

    def pythons(self, base: Base) -> list[str]:
        """Versions of Python a machine of `base` can run, the base's own first.

        Another base's Python runs there too if it was built for the same or an older libc.
        """
        others = [b.python for b in self.machine_bases.values() if _older_libc(b, base)]
        return list(dict.fromkeys([base.python, *sorted(others, key=_version, reverse=True)]))


def hint_for(name: str, words: Sequence[str] | dict[str, Any]) -> str:
    """What a person may mean by a name that is not one of a few words."""
    near = nearest(name, words)
    listed = ", ".join(f"`{word}`" for word in words) or "none"
    return f"did you mean `{near}`? there are {listed}" if near else f"there are {listed}"


def heirs(tools: Iterable[Tool], name: str) -> list[Tool]:
    """The tools that replace what is called so, however a person writes it (`deep-water`)."""
    return [tool for tool in tools if _plain(name) in map(_plain, tool.replaces)]


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name).casefold()


def load_catalog(paths: Sequence[Path] = ()) -> Catalog:
    """dsvm's own tools and those in the folders `paths`. Raises `ErrorGroup` with all faults."""
    if not paths:
        return _own_catalog()
    faults = Faults()
    catalog = _load([PACKAGE / "tools", *paths], faults)
    faults.raise_if_any()
    return catalog


@cache
def _own_catalog() -> Catalog:
    faults = Faults()
    catalog = _load([PACKAGE / "tools"], faults)
    faults.raise_if_any()
    return catalog


def _load(roots: Sequence[Path], faults: Faults) -> Catalog:
    tools: dict[str, Tool] = {}
    sources: dict[str, SourceText] = {}
    for folder in _folders(roots, "tool.toml", faults):
        _add_tool(folder, tools, sources, faults)
    bases = _bases(faults)
    for name, tool in tools.items():
        ToolChecker(tool, sources[name], faults).check(tools, bases)
    return Catalog(tools, _profiles(tools, faults), bases)


def _folders(roots: Sequence[Path], file: str, faults: Faults) -> list[Path]:
    """The folders below `roots` that have `file`; others are no tools."""
    found = []
    for root in dict.fromkeys(roots):
        try:
            inside = sorted(root.iterdir())
        except OSError as trouble:
            what = f"the catalog folder {shown_path(root)} cannot be read"
            remedy = "correct `paths` in `[catalog]`"
            faults.add_error(str(root), (), DsvmError(what, cause=trouble.strerror, remedy=remedy))
            continue
        here = [folder for folder in inside if (folder / file).exists()]
        if not here:
            what = f"the catalog folder {shown_path(root)} holds no folder with a {file}"
            remedy = "`paths` in `[catalog]` names the folder around the tool folders"
            faults.add_error(str(root), (), DsvmError(what, remedy=remedy))
        found += here
    return found


def _add_tool(
    folder: Path, tools: dict[str, Tool], sources: dict[str, SourceText], faults: Faults
) -> None:
    name = folder.name
    shown_as = f"{name}/tool.toml"
    if not FOLDER_NAME.fullmatch(name):
        what = f"`{shown(name, 60)}` is no name for a tool's folder"
        remedy = "rename it: lower case letters, digits and hyphens only"
        faults.add_error(str(folder), (), DsvmError(what, cause=str(folder), remedy=remedy))
    elif name in tools:
        what = f"there are two tools `{name}`"
        cause = f"{tools[name].folder} and {folder}"
        remedy = "rename one of the folders; a tool never hides another"
        faults.add_error(str(folder), (), DsvmError(what, cause=cause, remedy=remedy))
    elif read := _model(Tool, folder / "tool.toml", shown_as, faults):
        tool, sources[name] = read
        tools[name] = tool.model_copy(update={"name": name, "folder": folder})


def _model(model: type[M], path: Path, name: str, faults: Faults) -> tuple[M, SourceText] | None:
    try:
        source, data = parse_toml(read_text(path, name), name)
    except DsvmError as wrong:
        faults.add_error(name, (), wrong)
        return None
    for key, info in model.model_fields.items():
        if info.exclude and key in data:
            faults.add(source, (key,), f"unknown key `{key}`", remedy="leave it out")
    found = checked(model, data, source, faults)
    return (found, source) if found else None


def _profiles(tools: dict[str, Tool], faults: Faults) -> dict[str, Profile]:
    """Profiles all of whose tools exist; the others come with later tools."""
    ours = sorted(name for name, tool in tools.items() if tool.folder.parent == PACKAGE / "tools")
    path = Path(__file__).with_name("profiles.toml")
    source, data = parse_toml(path.read_text("utf-8"), path.name)
    found = {}
    for name, said in data.items():
        profile = checked(Profile, said, source, faults)
        if profile and profile.every:
            profile = profile.model_copy(update={"tools": ours})
        if profile and all(tool in tools for tool in profile.tools):
            found[name] = profile
    return found


def _bases(faults: Faults) -> dict[str, Base]:
    found = {}
    for folder in _folders([PACKAGE / "bases"], "base.toml", faults):
        read = _model(Base, folder / "base.toml", f"{folder.name}/base.toml", faults)
        if read:
            found[folder.name] = read[0].model_copy(update={"name": folder.name, "folder": folder})
    return dict(sorted(found.items(), key=lambda item: _version(item[1].glibc), reverse=True))


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _older_libc(one: Base, other: Base) -> bool:
    return _version(one.glibc) <= _version(other.glibc)
