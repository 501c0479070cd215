"""Which packages of npm's lock are installed on this machine, and which of them would run scripts.

npm's lock names every package for every system: of `optionalDependencies` only those that fit are
installed, and what only the others need is left out with them. See npm's package-lock.json(5).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from dsvm.errors import DsvmError

_HERE = {"os": "linux", "libc": "glibc"}
_CPUS = {"x86_64": "x64", "aarch64": "arm64"}
_NEEDS = ("dependencies", "optionalDependencies", "peerDependencies")

Entries = Mapping[str, Mapping[str, Any]]
"""`packages` of npm's lock: entries by their place, such as `node_modules/a/node_modules/b`."""


def installed(entries: Entries, tool: str) -> list[str]:
    """The places that `npm ci` would fill on this machine, sorted.

    Raises `DsvmError` when a package that must be there is not made for this machine (most
    versions of npm have refused it before).
    """
    found = {""}
    waiting = [""]
    while waiting:
        place = waiting.pop()
        for needed in _needed(entries, place):
            if needed in found or not _may(entries[needed], needed, tool):
                continue
            found.add(needed)
            waiting.append(needed)
    return sorted(found - {""})


def name_of(entries: Entries, place: str) -> str:
    """The package's name in the registry; its place may have an alias."""
    return str(entries[place].get("name") or place.rpartition("node_modules/")[2])


def refuse_scripts(entries: Entries, tool: str, without: list[str]) -> None:
    """Raises `DsvmError` for packages with install scripts, which dsvm does not run.

    `without` names those that do their work without.
    """
    scripted = [
        f"{name_of(entries, place)} {entries[place]['version']}"
        for place in installed(entries, tool)
        if entries[place].get("hasInstallScript") and name_of(entries, place) not in without
    ]
    if scripted:
        raise DsvmError(
            f"`{tool}` needs npm packages that would run scripts to be installed",
            cause=", ".join(dict.fromkeys(scripted)),
            remedy="dsvm installs files and runs no package's scripts: choose packages without; or "
            "name in tool.toml those that work without theirs: [npm] without_scripts; and those "
            "whose native code has to be compiled: [npm.build] packages",
        )


def _needed(entries: Entries, place: str) -> Iterator[str]:
    """Where the packages lie that this one asks for; what is optional may be nowhere."""
    for kind in _NEEDS:
        for name in entries[place].get(kind, {}):
            found = _place(entries, place, name)
            if found:
                yield found


def _place(entries: Entries, place: str, name: str) -> str | None:
    """As Node.js looks: in the package's own `node_modules`, then in those above it."""
    above: str | None = place
    while above is not None:
        candidate = f"{above}/node_modules/{name}".lstrip("/")
        if candidate in entries:
            return candidate
        above = above.rpartition("node_modules/")[0].rstrip("/") if above else None
    return None


def _may(entry: Mapping[str, Any], place: str, tool: str) -> bool:
    if _fits(entry):
        return True
    if entry.get("optional"):
        return False
    kinds = ", ".join(
        f"{key}: {' '.join(_listed(entry, key))}" for key in ("os", "cpu", "libc") if key in entry
    )
    raise DsvmError(
        f"`{tool}` needs an npm package that is not made for this machine",
        cause=f"{place} is for {kinds}",
        remedy="choose versions that run here",
    )


def _fits(entry: Mapping[str, Any]) -> bool:
    """npm's rule for `os`, `cpu` and `libc`: listed, or not listed with an exclamation mark."""
    here = {**_HERE, "cpu": _CPUS.get(os.uname().machine, os.uname().machine)}
    for key, mine in here.items():
        listed = _listed(entry, key)
        allowed = [word for word in listed if not word.startswith("!")]
        if f"!{mine}" in listed or (allowed and mine not in allowed):
            return False
    return True


def _listed(entry: Mapping[str, Any], key: str) -> list[str]:
    """A package may say a single word in place of a list."""
    said = entry.get(key, [])
    return [said] if isinstance(said, str) else list(said)
