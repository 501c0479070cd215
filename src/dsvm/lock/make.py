"""Composition -> Lock: every part resolved in parallel, old versions kept unless asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from dsvm.catalog import load_catalog
from dsvm.catalog.compose import Composition, EnvironmentPlan
from dsvm.catalog.model import Base, DriverNeed, Tool
from dsvm.definition.model import Variant
from dsvm.errors import DsvmError, ErrorGroup
from dsvm.home import Home
from dsvm.lock.apt import EVERY
from dsvm.lock.driver import Choosing, Prove, Version, check_cuda, in_order
from dsvm.lock.hints import Hints
from dsvm.lock.keep import Keep
from dsvm.lock.model import Lock, LockedEnvironment, LockedNpm, LockedNpmBuild, OsTree
from dsvm.lock.npm import lock_helpers, lock_npm
from dsvm.lock.origins import Origins, Taken
from dsvm.lock.python import Resolver
from dsvm.lock.pythonhost import python_host
from dsvm.lock.request import request_digest
from dsvm.lock.trees import Trees, architecture, target_for, tools_roots
from dsvm.lock.variants import NO_OTHER, alike, beside, lock_alike
from dsvm.lock.wheels import Target
from dsvm.progress import Progress, Silent, Step
from dsvm.store import Store

T = TypeVar("T")


def make_lock(
    composition: Composition,
    home: Home,
    *,
    old: Lock | None = None,
    upgrade: frozenset[str] | None = frozenset(),
    progress: Progress | None = None,
    bases: Mapping[str, Base] | None = None,
    prove: Prove | None = None,
) -> Lock:
    """Lock all that the composition asks for.

    Versions of `old` are kept where they still fit, but for `upgrade`: names of tools,
    environments or packages that may move (None: everything). An `old` that answers the request
    already is returned as it is. `prove` tries whether a driver's module compiles for the kernel;
    without it the build finds out. Raises `DsvmError`.
    """
    request = request_digest(composition)
    if old and old.request == request and upgrade is not None and not upgrade:
        return old
    keep = Keep(old, upgrade, composition)
    known = bases or load_catalog().bases
    job = _Locking(composition, home, keep, known, Hints(home), prove)
    with Store(home.store).using():  # what is fetched now stands in no lock yet
        lock = job.run(request, progress or Silent())
    job.hints.save()
    return lock


@dataclass(frozen=True)
class _Locking:
    composition: Composition
    home: Home
    keep: Keep
    bases: Mapping[str, Base]
    hints: Hints
    prove: Prove | None = None

    def run(self, request: str, progress: Progress) -> Lock:
        plans = self.composition.environments
        tools = self.composition.tools
        parts = 2 + len(plans) + sum(bool(tool.npm) + bool(tool.origins) for tool in tools)
        with progress.step("locking", parts, "parts") as step, ThreadPoolExecutor(8) as pool:
            jobs = _Jobs(pool, step)
            os_tree = jobs.start("OS packages", self._os)
            tools_tree = jobs.start("building tools", self._tools)
            environments = [jobs.start(plan.name, self._builds, plan) for plan in plans]
            npm = [jobs.start(tool.name, self._npm, tool) for tool in tools if tool.npm]
            origins = [jobs.start(tool.name, self._origin, tool) for tool in tools if tool.origins]
            jobs.join()
            taken = [job.result() for job in origins]
            locked = tuple(build for job in environments for build in job.result())
            lock = Lock(
                version=1,
                request=request,
                base=self.composition.base.name,
                architecture=architecture(),
                os=os_tree.result(),
                tools_tree=tools_tree.result(),
                interpreters=self._interpreters(locked),
                environments=locked,
                npm=tuple(app.result() for app in npm),
                artifacts=tuple(one.artifact for one in taken if one.artifact),
                debs=tuple(one.debs for one in taken if one.debs),
                conda=tuple(one.conda for one in taken if one.conda),
                cran=tuple(one.cran for one in taken if one.cran),
                hub=tuple(one.hub for one in taken if one.hub),
                choices=tuple(one.choice for one in taken if one.choice),
                held=self.keep.held,
            )
        return self._with_driver(lock, self.composition.driver) if self.composition.driver else lock

    def _with_driver(self, lock: Lock, need: DriverNeed) -> Lock:
        if old := self.keep.driver(lock.os):
            kept = lock.model_copy(update={"driver": old})
            check_cuda(kept)
            return kept
        base, packages = self.composition.base, self.composition.packages
        apt = self._trees.root(base)
        found = [Version(m, *one) for m in need.modules for one in apt.versions(m.package)]
        pins, locked = self.keep.driver_pins(base.suite)

        def os(one: Version) -> OsTree:
            wanted = [*packages, *one.module.beside]
            made = self._trees.machine(base, wanted, {**pins, EVERY: one.version})
            return made.model_copy(update={"roots": packages})  # beside: the module's package asks

        def tree(one: Version, kernel: str) -> OsTree:
            roots = [one.module.package, f"linux-headers-{kernel}", *need.build]
            return self._trees.builder(base, roots, {EVERY: one.version})

        order = in_order(found, locked)
        return Choosing(need.library, order, os, tree).first_that_works(lock, self.prove)

    def _origin(self, tool: Tool) -> Taken:
        old = self.keep.origin(tool)
        if old.reached and self.keep.stays(tool):
            return old
        composition = self.composition
        origins = Origins(
            self.home,
            self.bases,
            self._trees.app,
            self._build_os,
            composition.base,
            composition.sources,
        )
        return origins.lock(tool, old)

    def _os(self) -> OsTree:
        base, packages = self.composition.base, self.composition.packages
        old = self.keep.os(base.suite, packages)
        if old:
            return old
        pins, let_go = self.keep.os_pins(base.suite), self.keep.let_go
        if pins and let_go:
            rest = [package for package in packages if package not in let_go]
            pins = self._trees.needed_by(base, rest, pins)
        return self._trees.machine(base, packages, pins)

    def _tools(self) -> OsTree:
        base, packages = tools_roots()
        old = self.keep.tools(self.bases[base].suite, packages)
        return old or self._trees.tools(self.keep.tools_pins())

    def _builds(self, plan: EnvironmentPlan) -> tuple[LockedEnvironment, ...]:
        wanted = [one for one in self.composition.variants if one in plan.requirements]
        return lock_alike(plan, wanted, partial(self._environment, plan))

    def _environment(
        self, plan: EnvironmentPlan, variant: Variant, other: LockedEnvironment | None
    ) -> LockedEnvironment:
        old = self.keep.environment(plan, variant, plan.python or self.composition.base.python)
        if old and (other is None or alike(plan, old, other)):
            return old
        sources = self.composition.sources
        resolver = Resolver(
            python_host(sources), self.home, self.hints, sources, self.keep.looks_for_new
        )
        pins = self.keep.environment_pins(plan, variant)
        found = beside(plan, variant, other) if other else NO_OTHER
        return resolver.environment(plan, variant, self._target, pins, found)

    def _target(self, python: str | None) -> tuple[Target, str | None]:
        target, other = target_for(python, self.composition.base, self.bases)
        return target, other.python if other else None

    def _interpreters(self, environments: tuple[LockedEnvironment, ...]) -> dict[str, OsTree]:
        found = {}
        for version in sorted({env.interpreter for env in environments if env.interpreter}):
            _, other = target_for(version, self.composition.base, self.bases)
            if other:
                old = self.keep.interpreter(version, other.suite, tuple(other.python_packages))
                found[version] = old or self._trees.interpreter(
                    other, self.keep.interpreter_pins(version)
                )
        return found

    def _npm(self, tool: Tool) -> LockedNpm:
        old, sources = self.keep.npm(tool), self.composition.sources
        locked = lock_npm(tool, old, sources, self.home)
        build = tool.npm.build if tool.npm else None
        if build is None:
            return locked
        before = old.build if old else None
        helpers = before.npm if before else None
        made = LockedNpmBuild(
            os=self._build_os(build.apt, before.os if before else None),
            npm=lock_helpers(tool.name, build.npm, helpers, sources, self.home),
        )
        return locked.model_copy(update={"build": made})

    def _build_os(self, packages: Sequence[str], old: OsTree | None = None) -> OsTree:
        base = self.composition.base
        kept = self.keep.tree(old, base.suite, packages)
        return kept or self._trees.builder(base, packages, self.keep.pins(old))

    @property
    def _trees(self) -> Trees:
        sources = self.composition.sources
        return Trees(self.bases, sources, self.home, at_once=self.keep.looks_for_new)


class _Jobs:
    """Work done in parallel; all of its errors are reported together."""

    def __init__(self, pool: ThreadPoolExecutor, step: Step) -> None:
        self._pool = pool
        self._step = step
        self._jobs: list[Future[Any]] = []

    def start(self, name: str, work: Callable[..., T], *args: object) -> Future[T]:
        def counted() -> T:
            self._step.say(name)
            done = work(*args)
            self._step.advance(1)
            return done

        job = self._pool.submit(counted)
        self._jobs.append(job)
        return job

    def join(self) -> None:
        """Wait for all. Raises the one `DsvmError`, or all of them as an `ErrorGroup`."""
        faults = [fault for job in self._jobs if (fault := job.exception())]
        errors = [fault for fault in faults if isinstance(fault, DsvmError)]
        for fault in faults:
            if not isinstance(fault, DsvmError):
                raise fault
        if errors:
            different = list({str(error): error for error in errors}.values())
            raise different[0] if len(different) == 1 else ErrorGroup(different)
