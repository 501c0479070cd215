"""A host whose Python index is the test's: what locks Python environments runs against it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dsvm.catalog import load_catalog
from dsvm.catalog.compose import EnvironmentPlan
from dsvm.definition.model import Variant
from dsvm.home import Home
from dsvm.lock.hints import Hints
from dsvm.lock.model import LockedEnvironment, PythonPackage
from dsvm.lock.python import Resolver
from dsvm.lock.pythonhost import PythonHost, python_host
from dsvm.lock.trees import target_for
from dsvm.lock.variants import beside, lock_alike
from dsvm.lock.wheels import Target
from tests.system.lock_support import Server, index, serving, wheel

BASES = load_catalog().bases


def target_of(python: str | None) -> tuple[Target, str | None]:
    target, other = target_for(python, BASES["debian-13"], BASES)
    return target, other.python if other else None


@dataclass
class Lab:
    """A host whose Python index is the test's."""

    web: Path
    server: Server
    home: Home
    find_links: tuple[str, ...] = ()
    overrides: dict[str, str] = field(default_factory=dict)
    more_env: dict[str, str] = field(default_factory=dict)
    index: str = ""

    @property
    def resolver(self) -> Resolver:
        env = python_host({"pypi": self.index or self.server.url("pypi/simple")}).env
        host = PythonHost(self.find_links, {**env, **self.more_env})
        return Resolver(host, self.home, Hints(self.home), self.overrides, refresh=True)

    def lock(self, plan: EnvironmentPlan, *old: PythonPackage) -> LockedEnvironment:
        return self.resolver.environment(plan, "cpu", target_of, old)

    def both(self, plan: EnvironmentPlan) -> dict[Variant, dict[str, str]]:
        """The versions of both builds."""

        def one(variant: Variant, other: LockedEnvironment | None) -> LockedEnvironment:
            more = [beside(plan, variant, other)] if other else []
            return self.resolver.environment(plan, variant, target_of, (), *more)

        locked = lock_alike(plan, ["cpu", "nvidia"], one)
        return {build.variant: versions(build) for build in locked}

    def offer(self, place: str, name: str, version: str, **more: str) -> Path:
        needs = tuple(more.pop("needs", "").split())
        path = wheel(self.web / place / "files", name, version, **more, needs=needs)
        index(self.web / place)
        return path


@contextmanager
def made(folder: Path) -> Iterator[Lab]:
    """One in the folder, until the block ends."""
    (folder / "web").mkdir()
    with serving(folder / "web") as server:
        yield Lab(folder / "web", server, Home(folder / "home"))


def versions(locked: LockedEnvironment) -> dict[str, str]:
    return {package.name: package.version for package in locked.packages}
