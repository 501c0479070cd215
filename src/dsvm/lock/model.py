"""What `dsvm.lock` holds: a version and a digest for every byte that will be installed.

A file is named by its source and a relative path, never by a mirror's address.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from dsvm.definition.model import Variant


class Locked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OsPackage(Locked):
    """One .deb. `source` is `<archive>/<suite>` of a base, `path` is relative to its mirror."""

    name: str
    version: str
    architecture: str
    sha256: str
    size: int
    source: str
    path: str


class PythonPackage(Locked):
    """One wheel. `source`: `pypi`, a name of `[sources]`, or the name of a tool's source."""

    name: str
    version: str
    file: str
    sha256: str
    size: int
    source: str


class OsTree(Locked):
    """A closed set of OS packages. `roots` is what was asked for, in the order asked.

    `dated` says for each `<archive>/<suite>` when its index was made (UTC, `20261121T091544Z`): a
    dated archive finds by it what a mirror no longer has.
    """

    suite: str
    roots: tuple[str, ...]
    packages: tuple[OsPackage, ...]
    dated: dict[str, str] = Field(default_factory=dict)


class LockedEnvironment(Locked):
    """`interpreter` is None for the machine's own Python, else a key of `Lock.interpreters`."""

    name: str
    variant: Variant
    python: str
    interpreter: str | None
    requirements: tuple[str, ...]
    packages: tuple[PythonPackage, ...]
    source: str
    why: str


class NpmPackage(Locked):
    """One tarball: its place (`node_modules/a`), npm's integrity (sha512), its bytes."""

    path: str
    name: str
    version: str
    integrity: str
    sha256: str
    size: int


class LockedNpm(Locked):
    """One npm app. `package_lock` is npm's own lock without addresses, as JSON text."""

    tool: str
    requirements: dict[str, str]
    packages: tuple[NpmPackage, ...]
    package_lock: str


class LockedArtifact(Locked):
    tool: str
    url: str
    sha256: str
    size: int


class Lock(Locked):
    """`request` is the digest of what was asked for; another one means the lock is stale."""

    version: Literal[1]
    request: str
    base: str
    architecture: str
    os: OsTree
    tools_tree: OsTree
    interpreters: dict[str, OsTree]
    environments: tuple[LockedEnvironment, ...]
    npm: tuple[LockedNpm, ...]
    artifacts: tuple[LockedArtifact, ...]
