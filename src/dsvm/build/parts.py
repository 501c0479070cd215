"""What a lock is built as: its layers with their keys, mountpoints and makers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dsvm.build import apps, conda_environment, driver, hub_files, os_tree, package_apps, r_library
from dsvm.build.environment import ENVIRONMENTS, Pythons, build_environment, environment_key
from dsvm.build.interpreter import PYTHONS, build_interpreter, interpreter_key
from dsvm.build.model import Layer, LayerKind
from dsvm.build.npm import build_npm, npm_key
from dsvm.build.package_set import PackageSet
from dsvm.build.tools_tree import ToolsTree
from dsvm.catalog.model import Base, NpmNeed
from dsvm.catalog.origins import Origin
from dsvm.definition.model import Variant
from dsvm.home import Home
from dsvm.lock.model import (
    Lock,
    LockedArtifact,
    LockedConda,
    LockedCran,
    LockedDebs,
    LockedEnvironment,
    LockedHub,
    LockedNpm,
    OsTree,
)
from dsvm.progress import Step
from dsvm.store import Store

Make = Callable[[Path, Step], str]


@dataclass(frozen=True)
class Part:
    """A layer to be. `make` fills the store and returns the digest.

    `total` of `unit` is what it will have advanced the step by.
    """

    name: str
    kind: LayerKind
    key: str
    make: Make
    mountpoint: str | None = None
    environment: str | None = None
    variant: Variant | None = None
    total: int | None = None
    unit: str = "bytes"

    def layer(
        self, digest: str, size: int, seconds: float = 0.0, steps: Mapping[str, float] | None = None
    ) -> Layer:
        return Layer(
            name=self.name,
            kind=self.kind,
            key=self.key,
            digest=digest,
            bytes=size,
            seconds=seconds,
            steps=steps or {},
            cached=False,
            mountpoint=self.mountpoint,
            environment=self.environment,
            variant=self.variant,
        )


@dataclass(frozen=True)
class Workshop:
    """What every part is made with. `origins`: tool -> the origin its layer is made from; `npm`:
    tool -> what it says of its npm packages."""

    lock: Lock
    base: Base
    pythons: Pythons
    origins: Mapping[str, Origin]
    npm: Mapping[str, NpmNeed]
    store: Store
    home: Home

    @property
    def tools_key(self) -> str:
        return ToolsTree.key_of(self.lock.tools_tree)

    def tools(self) -> ToolsTree:
        return ToolsTree.of(self.lock.tools_tree, self.store, self.home)

    def os_part(self) -> Part:
        lock, base = self.lock, self.base
        module = self.module_part()

        def make(log: Path, step: Step) -> str:
            tree = lock.os
            made = self.store.layer(module.key, Layer) if module else None
            if lock.driver and made:
                tree = driver.with_module(tree, lock.driver, made.digest, self.store)
            return os_tree.build_os(tree, base, self.store, self.home, log, step)

        return Part(
            "os",
            "os",
            os_tree.os_key(lock.os, base, module.key if module else None),
            make,
            total=os_tree.STEPS * len(lock.os.packages),
            unit="packages",
        )

    def module_part(self) -> Part | None:
        """The package with the driver's module, which the OS tree takes in."""
        return module_part(self.lock, self.store, self.home)

    def parts(self) -> list[Part]:
        """All layers that are mounted on the OS tree; the slowest to build first."""
        environments = sorted(
            self.lock.environments, key=lambda one: -sum(wheel.size for wheel in one.packages)
        )
        return [
            *map(self._environment, environments),
            *(self._interpreter(*item) for item in self.pythons.others.items()),
            *self._apps(),
        ]

    def _environment(self, one: LockedEnvironment) -> Part:
        return Part(
            f"env-{one.name}-{one.variant}",
            "environment",
            environment_key(one, self.pythons, self.tools_key),
            lambda log, step: build_environment(
                one, self.pythons, self.tools(), self.store, self.home, log, step
            ),
            total=100,
            unit="%",
            mountpoint=f"{ENVIRONMENTS}/{one.name}",
            environment=one.name,
            variant=one.variant,
        )

    def _interpreter(self, version: str, packages: PackageSet) -> Part:
        return Part(
            f"python-{version}",
            "interpreter",
            interpreter_key(packages, version, self.tools_key),
            lambda log, step: build_interpreter(
                packages, version, self.tools(), self.store, self.home, log
            ),
            mountpoint=f"{PYTHONS}/{version}",
        )

    def _apps(self) -> Iterator[Part]:
        for artifact in self.lock.artifacts:
            need = self.origins[artifact.tool].artifact
            yield self._artifact(artifact, need.strip if need else 0)
        yield from map(self._cran, self.lock.cran)
        yield from map(self._conda, self.lock.conda)
        for debs in self.lock.debs:
            wanted = self.origins[debs.tool].debs
            yield self._debs(debs, tuple(wanted.programs) if wanted else ())
        yield from map(self._hub, self.lock.hub)
        for npm in self.lock.npm:
            yield self._npm(npm, self.npm[npm.tool])

    def _conda(self, conda: LockedConda) -> Part:
        return Part(
            f"env-{conda.environment}-cpu",
            "environment",
            conda_environment.conda_key(conda, self.tools_key),
            lambda log, step: conda_environment.build_conda(
                conda, self.tools(), self.store, self.home, log
            ),
            mountpoint=f"{ENVIRONMENTS}/{conda.environment}",
            environment=conda.environment,
            variant="cpu",
        )

    def _artifact(self, artifact: LockedArtifact, strip: int) -> Part:
        return self._app(
            artifact.tool,
            apps.artifact_key(artifact, strip, self.tools_key),
            lambda log, step: apps.build_artifact(
                artifact, strip, self.tools(), self.store, self.home, log
            ),
        )

    def _cran(self, cran: LockedCran) -> Part:
        return self._app(
            cran.tool,
            r_library.library_key(cran, self.tools_key),
            lambda log, step: r_library.build_library(
                cran, self.tools(), self.store, self.home, log
            ),
        )

    def _hub(self, hub: LockedHub) -> Part:
        return self._app(
            hub.tool,
            hub_files.hub_key(hub, self.tools_key),
            lambda log, step: hub_files.build_hub(hub, self.tools(), self.store, self.home, log),
        )

    def _debs(self, debs: LockedDebs, programs: tuple[str, ...]) -> Part:
        return self._app(
            debs.tool,
            package_apps.debs_key(debs, programs, self.tools_key),
            lambda log, step: package_apps.build_debs(
                debs, programs, self.tools(), self.store, self.home, log
            ),
        )

    def _npm(self, npm: LockedNpm, need: NpmNeed) -> Part:
        return self._app(
            npm.tool,
            npm_key(npm, need, self.tools_key),
            lambda log, step: build_npm(npm, need, self.tools(), self.store, self.home, log),
        )

    def _app(self, tool: str, key: str, make: Make) -> Part:
        return Part(f"app-{tool}", "app", key, make, mountpoint=f"{apps.APPS}/{tool}")


def module_part(lock: Lock, store: Store, home: Home) -> Part | None:
    """The package with the module of the lock's driver, if it has one."""
    found = lock.driver
    if not found:
        return None

    def make(log: Path, step: Step) -> str:
        return driver.build_module(lock, found, store, home, log)

    return Part("driver-module", "module", driver.module_key(lock, found), make)


def pythons_of(
    lock: Lock, base: Base, bases: Mapping[str, Base], store: Store, home: Home
) -> Pythons:
    """The Pythons of the lock's environments: `python3...` of a base's `python_packages`.

    The others of these are libraries that wheels load, which matter where they run. Raises
    `MissingBlob` when the locked packages were neither read before nor fetched.
    """

    def python(tree: OsTree, base: Base) -> PackageSet:
        roots = [name for name in base.python_packages if name.startswith("python3")]
        return PackageSet.of(tree, roots, store, home)

    by_suite = {known.suite: known for known in bases.values()}
    others = {
        version: python(tree, by_suite[tree.suite]) for version, tree in lock.interpreters.items()
    }
    return Pythons(python(lock.os, base), others)
