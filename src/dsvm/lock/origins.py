"""The one origin of a tool that is taken: the first that is reached, with digests of all of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dsvm.catalog.model import Base, Tool
from dsvm.catalog.origins import ArtifactNeed, Origin
from dsvm.fetch import Failure, FetchFailed, Limits, take
from dsvm.home import Home
from dsvm.lock import cran
from dsvm.lock.conda import lock_conda
from dsvm.lock.hub import lock_hub
from dsvm.lock.model import (
    Choice,
    LockedArtifact,
    LockedConda,
    LockedCran,
    LockedDebs,
    LockedHub,
    OsTree,
)
from dsvm.lock.reached import NotReached
from dsvm.lock.trees import architecture
from dsvm.store import Store

# Others wait for it, and there may be another origin.
TRIES = 2


@dataclass(frozen=True)
class Taken:
    """What was locked of a tool. `choice` is None where there was nothing to choose."""

    choice: Choice | None = None
    artifact: LockedArtifact | None = None
    debs: LockedDebs | None = None
    cran: LockedCran | None = None
    conda: LockedConda | None = None
    hub: LockedHub | None = None

    @property
    def reached(self) -> bool:
        return any((self.artifact, self.debs, self.cran, self.conda, self.hub))


@dataclass(frozen=True)
class Origins:
    """Locks origins; `tree` locks packages of a base with all that they need, `builder` those of
    `base`, the machine's, that something is built with. `sources` are the definition's."""

    home: Home
    bases: Mapping[str, Base]
    tree: Callable[[Base, Sequence[str]], OsTree]
    builder: Callable[[Sequence[str]], OsTree]
    base: Base
    sources: Mapping[str, str] = field(default_factory=dict)

    def lock(self, tool: Tool, old: Taken) -> Taken:
        """The first origin that is reached, or `old` when none is and there is an old one.

        A tool that is not reached is locked as that: it must not keep the others from being made.
        Raises `DsvmError` for anything but an origin that is not reached.
        """
        reasons: list[str] = []
        for origin in tool.origins:
            try:
                taken = self._taken(tool, origin)
            except FetchFailed as fault:
                reasons += [f"{failure.want.name}: {failure.reason}" for failure in fault.failures]
                continue
            except NotReached as fault:
                reasons.append(fault.what)
                continue
            if len(tool.origins) == 1:
                return taken
            why = "; ".join([*reasons, f"{origin.shown} was reached"])
            choice = Choice(tool=tool.name, origin=origin.shown, why=why)
            return replace(taken, choice=choice)
        if old.reached:
            return old
        return Taken(Choice(tool=tool.name, origin=None, why="; ".join(reasons)))

    def _taken(self, tool: Tool, origin: Origin) -> Taken:
        if origin.artifact:
            return Taken(artifact=self._artifact(tool, origin.artifact))
        if origin.cran:
            tree = self.builder([*cran.BUILD_ROOTS, *origin.cran.build])
            locked = cran.lock_cran(tool.name, origin.cran, self.sources, tree, self.home)
            return Taken(cran=locked)
        if origin.conda:
            locked_conda = lock_conda(
                tool.name,
                origin.conda,
                self.sources,
                self.base.glibc,
                architecture(),
                self.home,
            )
            return Taken(conda=locked_conda)
        if origin.hub:
            return Taken(hub=lock_hub(tool.name, origin.hub, self.home))
        if origin.debs is None:
            raise ValueError(f"an origin of {tool.name} is empty")
        tree = self.tree(self.bases[origin.debs.base], origin.debs.packages)
        return Taken(debs=LockedDebs(tool=tool.name, base=origin.debs.base, tree=tree))

    def _artifact(self, tool: Tool, need: ArtifactNeed) -> LockedArtifact:
        sha256, size = self._first(need.addresses)
        return LockedArtifact(
            tool=tool.name,
            url=need.url,
            sha256=sha256,
            size=size,
            mirrors=tuple(need.mirrors),
        )

    def _first(self, addresses: tuple[str, ...]) -> tuple[str, int]:
        """The file from the first address that has it. Raises `FetchFailed` with all reasons."""
        limits = replace(Limits.usual(), tries=TRIES)
        failures: list[Failure] = []
        for address in addresses:
            try:
                return take(address, Store(self.home.store), limits=limits)
            except FetchFailed as fault:
                failures += fault.failures  # each names its address
        raise FetchFailed(failures)
