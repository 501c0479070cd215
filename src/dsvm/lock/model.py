"""What `dsvm.lock` holds: a version and a digest for every byte that will be installed.

A file is named by its source and a relative path, never by a mirror's address.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from dsvm.catalog.model import SourceOnly, Tool
from dsvm.catalog.origins import Origin
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
    """One wheel, or the archive of one that comes as source only.

    `source`: `pypi`, a name of `[sources]`, or the name of a tool's source.
    """

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
    source_only: tuple[SourceOnly, ...] = ()


class NpmPackage(Locked):
    """One tarball: its place (`node_modules/a`), npm's integrity, its bytes."""

    path: str
    name: str
    version: str
    integrity: str
    sha256: str
    size: int


class LockedNpm(Locked):
    """One npm app. `package_lock` is npm's own lock without addresses, as JSON text.

    What lies in the folders `inner` is locked by a file of the package around it. `build` is what
    its native code is compiled with.
    """

    tool: str
    requirements: dict[str, str]
    packages: tuple[NpmPackage, ...]
    package_lock: str
    inner: tuple[str, ...] = ()
    build: LockedNpmBuild | None = None


class LockedNpmBuild(Locked):
    """The OS packages of the sandbox in which native code is compiled, and npm's that build."""

    os: OsTree
    npm: LockedNpm


class LockedArtifact(Locked):
    """One file; `mirrors` are other addresses of it."""

    tool: str
    url: str
    sha256: str
    size: int
    mirrors: tuple[str, ...] = ()


class LockedDebs(Locked):
    """OS packages of another base for one tool, with all that they need."""

    tool: str
    base: str
    tree: OsTree


class RPackage(Locked):
    """One source package; `needs` are those of the same lock that are built before it."""

    name: str
    version: str
    path: str
    sha256: str
    size: int
    needs: tuple[str, ...] = ()


class LockedCran(Locked):
    """R packages of one tool, each after those it needs; `tree` is what builds them.

    `repository` is the tool's own address of it, for `snapshot` (a date).
    """

    tool: str
    repository: str
    snapshot: str
    requirements: tuple[str, ...]
    packages: tuple[RPackage, ...]
    tree: OsTree


class CondaPackage(Locked):
    """One package; `path` (`linux-64/python-3.13.conda`) is below the channel's address."""

    name: str
    version: str
    build: str
    build_number: int
    noarch: Literal["python", "generic"] | None
    depends: tuple[str, ...]
    channel: str
    path: str
    sha256: str
    size: int


class LockedConda(Locked):
    """An environment out of conda channels; `python` is the version it has, if it has one."""

    tool: str
    environment: str
    requirements: tuple[str, ...]
    python: str
    packages: tuple[CondaPackage, ...]

    @property
    def kernel(self) -> bool:
        """Whether Jupyter can run it."""
        return any(package.name == "ipykernel" for package in self.packages)


class HubFile(Locked):
    """One file; `path` is that in its repository."""

    path: str
    sha256: str
    size: int


class LockedHub(Locked):
    """Files of a model hub for one tool, at one commit."""

    tool: str
    hub: Literal["huggingface"]
    repository: str
    revision: str
    files: tuple[HubFile, ...]


class LockedDriver(Locked):
    """NVIDIA's driver and the kernel it was made for: one set, of which no part moves alone.

    `kernel` is the release that the image boots, `version` the driver's, of its module and of its
    libraries; `cuda` the newest major version of CUDA that it knows. `tree` has the module's source
    (the package `module`), the kernel's headers and the compiler. `why` tells which was taken.
    """

    kernel: str
    version: str
    cuda: int
    module: str
    tree: OsTree
    why: str


class Choice(Locked):
    """Which of a tool's origins was taken, and why. `origin` is None where none was reached."""

    tool: str
    origin: str | None
    why: str


class Held(Locked):
    """A tool that an upgrade left where it was: what of it was `refused` (name -> version), and
    `why`, the first of its checks that failed with these."""

    tool: str
    refused: dict[str, str]
    why: str

    def __str__(self) -> str:
        newer = ", ".join(f"{name} {version}" for name, version in self.refused.items())
        return f"{self.tool} is held, for it fails with {newer or 'what is new'}: {self.why}"


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
    debs: tuple[LockedDebs, ...] = ()
    cran: tuple[LockedCran, ...] = ()
    conda: tuple[LockedConda, ...] = ()
    hub: tuple[LockedHub, ...] = ()
    choices: tuple[Choice, ...] = ()
    held: tuple[Held, ...] = ()
    driver: LockedDriver | None = None

    @property
    def unreachable(self) -> dict[str, str]:
        """Tool -> why nothing of it could be locked: it is not in the machine."""
        return {choice.tool: choice.why for choice in self.choices if choice.origin is None}

    @property
    def builders(self) -> dict[str, OsTree]:
        """The OS packages that apps and the driver's module are compiled with, by tool."""
        npm = {npm.tool: npm.build.os for npm in self.npm if npm.build}
        npm |= {self.driver.module: self.driver.tree} if self.driver else {}
        return npm | {cran.tool: cran.tree for cran in self.cran}

    @property
    def trees(self) -> tuple[OsTree, ...]:
        """All sets of OS packages."""
        apps = (*self.builders.values(), *(debs.tree for debs in self.debs))
        return (self.os, self.tools_tree, *self.interpreters.values(), *apps)

    def origin_of(self, tool: Tool) -> Origin | None:
        """The origin that the tool's layer is made from."""
        urls = {artifact.url for artifact in self.artifacts if artifact.tool == tool.name}
        bases = {debs.base for debs in self.debs if debs.tool == tool.name}
        for origin in tool.origins:
            if origin.artifact and origin.artifact.url in urls:
                return origin
            if origin.debs and origin.debs.base in bases:
                return origin
            if origin.conda and tool.name in {one.tool for one in self.conda}:
                return origin
            if origin.cran and tool.name in {one.tool for one in self.cran}:
                return origin
            if origin.hub and tool.name in {one.tool for one in self.hub}:
                return origin
        return None


# What of a lock is neither the OS, nor what builds, nor an interpreter: as an update of a lock.
NOTHING_MOUNTED: dict[str, object] = dict.fromkeys(
    ("environments", "npm", "artifacts", "debs", "cran", "conda", "hub"), ()
)
