"""What changed between two locks, as a list of version changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from packaging.version import InvalidVersion, Version

from dsvm.lock.debversion import compare
from dsvm.lock.model import Lock

Kind = Literal["added", "removed", "upgraded", "downgraded", "changed"]


@dataclass(frozen=True)
class Change:
    """One package (or file) of one part of the lock.

    `part` is `os`, `tools`, `python-3.11`, `env-base-cpu`, `npm-vscode`, `debs-julia`,
    `cran-rattle`, `hub-model-mine` or `artifact`. `changed` means another file of the same version.
    """

    part: str
    name: str
    kind: Kind
    old: str | None
    new: str | None

    def __str__(self) -> str:
        match self.kind:
            case "added":
                return f"{self.part}: {self.name} {self.new} added"
            case "removed":
                return f"{self.part}: {self.name} {self.old} removed"
            case "changed":
                return f"{self.part}: {self.name} {self.new} is another file"
        return f"{self.part}: {self.name} {self.old} -> {self.new} {self.kind}"


def diff(old: Lock | None, new: Lock) -> list[Change]:
    """Changes by part and name; an `old` of None is an empty lock."""
    before, after = _parts(old) if old else {}, _parts(new)
    return [
        change
        for part in dict.fromkeys([*after, *before])
        for change in _changes(part, before.get(part, {}), after.get(part, {}))
    ]


def _parts(lock: Lock) -> dict[str, dict[str, tuple[str, str]]]:
    """For each part: name -> (version, digest)."""
    trees = {"os": lock.os, "tools": lock.tools_tree}
    trees |= {f"python-{version}": tree for version, tree in lock.interpreters.items()}
    trees |= {f"build-{tool}": tree for tool, tree in lock.builders.items()}
    parts = {
        part: {package.name: (package.version, package.sha256) for package in tree.packages}
        for part, tree in trees.items()
    }
    for env in lock.environments:
        wheels = {package.name: (package.version, package.sha256) for package in env.packages}
        parts[f"env-{env.name}-{env.variant}"] = wheels
    for npm in lock.npm:
        # The same package may be there several times, so its place tells it apart.
        parts[f"npm-{npm.tool}"] = {p.path: (p.version, p.integrity) for p in npm.packages}
        if npm.build:
            helpers = npm.build.npm
            parts[f"npm-{helpers.tool}"] = {
                p.path: (p.version, p.integrity) for p in helpers.packages
            }
    for debs in lock.debs:
        packages = {one.name: (one.version, one.sha256) for one in debs.tree.packages}
        parts[f"debs-{debs.tool}"] = packages
    for cran in lock.cran:
        parts[f"cran-{cran.tool}"] = {one.name: (one.version, one.sha256) for one in cran.packages}
    for conda in lock.conda:
        parts[f"conda-{conda.environment}"] = {
            one.name: (f"{one.version} {one.build}", one.sha256) for one in conda.packages
        }
    for hub in lock.hub:
        parts[f"hub-{hub.tool}"] = {f.path: (hub.revision[:12], f.sha256) for f in hub.files}
    parts["artifact"] = {a.tool: (_file(a.url), a.sha256) for a in lock.artifacts}
    return parts


def _changes(
    part: str, before: Mapping[str, tuple[str, str]], after: Mapping[str, tuple[str, str]]
) -> Iterable[Change]:
    for name in sorted({*before, *after}):
        old, old_digest = before.get(name, (None, ""))
        new, new_digest = after.get(name, (None, ""))
        if old_digest != new_digest:
            yield Change(part, name, _kind(part, old, new), old, new)


def _kind(part: str, old: str | None, new: str | None) -> Kind:
    if old is None or new is None:
        return "added" if old is None else "removed"
    if old == new or part == "artifact":
        return "changed"
    if part.startswith(("env-", "npm-")):
        try:
            return "upgraded" if Version(new) > Version(old) else "downgraded"
        except InvalidVersion:
            return "changed"
    return "upgraded" if compare(new, old) > 0 else "downgraded"


def _file(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]
