"""The sets of OS packages in a lock: the machine's, the tools that build, other interpreters."""

from __future__ import annotations

import platform
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dsvm.catalog.model import Base
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.lock.apt import ESSENTIAL, FOUNDATION, AptRoot, open_root
from dsvm.lock.mirrors import mirrors
from dsvm.lock.model import OsTree
from dsvm.lock.wheels import Target

_TOOLS = Path(__file__).resolve().parent.parent / "bases" / "tools-tree.toml"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture() -> str:
    """This host's architecture by its Debian name, the one machines have. Raises `DsvmError`."""
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        raise DsvmError(
            f"dsvm does not know the architecture `{machine}`",
            remedy=f"use a host with one of {', '.join(_ARCHITECTURES)}",
        )
    return _ARCHITECTURES[machine]


@dataclass(frozen=True)
class Trees:
    """Locks sets of OS packages. `at_once`: look for new versions even in fresh indexes."""

    bases: Mapping[str, Base]
    sources: Mapping[str, str]
    home: Home
    at_once: bool

    def machine(self, base: Base, packages: Sequence[str], pins: Mapping[str, str]) -> OsTree:
        """What the machine itself has: a whole system."""
        return self._lock(base, packages, FOUNDATION, pins)

    def needed_by(
        self, base: Base, packages: Sequence[str], pins: Mapping[str, str]
    ) -> dict[str, str]:
        """Those of `pins` that a machine with only `packages` would have too."""
        found = self.root(base).resolve([*FOUNDATION, *packages], pins)
        there = {package.name for package in found}
        return {name: version for name, version in pins.items() if name in there}

    def tools(self, pins: Mapping[str, str]) -> OsTree:
        """The programs that make layers and images, with their libraries."""
        base, packages = tools_roots()
        return self._lock(self.bases[base], packages, (), pins)

    def builder(self, base: Base, packages: Sequence[str], pins: Mapping[str, str]) -> OsTree:
        """What a build step runs in: those packages, over the ones that every program takes for
        granted."""
        return self._lock(base, packages, ESSENTIAL, pins)

    def interpreter(self, base: Base, pins: Mapping[str, str]) -> OsTree:
        """That base's Python with the libraries it needs, and no more."""
        return self._lock(base, base.python_packages, (), pins)

    def app(self, base: Base, packages: Sequence[str]) -> OsTree:
        """Packages of a base for one tool, with the libraries they need, and no more."""
        return self._lock(base, packages, (), {})

    def root(self, base: Base) -> AptRoot:
        """The base's apt root with indexes that are fresh."""
        root = open_root(base, mirrors(base, self.sources), architecture(), self.home)
        root.update(at_once=self.at_once)
        return root

    def _lock(
        self, base: Base, roots: Sequence[str], more: Sequence[str], pins: Mapping[str, str]
    ) -> OsTree:
        root = self.root(base)
        return OsTree(
            suite=base.suite,
            roots=tuple(roots),
            packages=root.resolve([*more, *roots], pins),
            dated=root.dates(),
        )


@cache
def tools_roots() -> tuple[str, tuple[str, ...]]:
    """The base that the building tools come from, and their packages."""
    said = tomllib.loads(_TOOLS.read_text("utf-8"))
    return said["base"], tuple(said["packages"])


def target_for(
    python: str | None, base: Base, bases: Mapping[str, Base]
) -> tuple[Target, Base | None]:
    """The target for wheels, and the base whose Python is taken if it is not the machine's own.

    Raises `DsvmError` when no base has that Python, or only one with a newer C library has.
    """
    if python is None or python == base.python:
        return _target(base.python, base), None
    bases = {name: base for name, base in bases.items() if base.machines}
    having = [other for other in bases.values() if other.python == python]
    for other in having:
        if _version(other.glibc) <= _version(base.glibc):
            # Its Python runs with its own libraries, so wheels must fit those.
            return _target(python, other), other
    usable = sorted(
        {other.python for other in bases.values() if _version(other.glibc) <= _version(base.glibc)}
    )
    cause = f"{having[0].title} has it, for a newer C library" if having else "no base has it"
    raise DsvmError(
        f"Python {python} cannot be had on {base.title}",
        cause=cause,
        remedy=f"ask for one of {', '.join(usable)}"
        + (f', or set base = "{having[0].name}"' if having else ""),
    )


def _target(python: str, base: Base) -> Target:
    return Target(_version(python), _version(base.glibc), architecture())


def _version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")[:2]
    return int(major), int(minor)
