"""What of an old lock stays: whole parts that were asked for in the same way, else versions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dsvm.catalog.compose import Composition, EnvironmentPlan
from dsvm.catalog.model import Tool
from dsvm.definition.model import Variant
from dsvm.errors import DsvmError
from dsvm.lock.driver import members
from dsvm.lock.hub import need_of
from dsvm.lock.model import (
    Held,
    Lock,
    LockedDriver,
    LockedEnvironment,
    LockedNpm,
    OsTree,
    PythonPackage,
)
from dsvm.lock.origins import Taken


@dataclass(frozen=True)
class Keep:
    """`upgrade` names tools, environments and packages that may move; None: all may."""

    old: Lock | None
    upgrade: frozenset[str] | None
    composition: Composition
    moving_os: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        tools = [tool for tool in self.composition.tools if tool.name in self._named]
        moving = self._named | {name for tool in tools for name in tool.apt}
        object.__setattr__(self, "moving_os", frozenset(moving))
        self._refuse_unknown()

    @property
    def let_go(self) -> frozenset[str]:
        """OS packages that only the moving tools ask for: what they alone bring may move too."""
        others = {p for t in self.composition.tools if t.name not in self._named for p in t.apt}
        moving = {p for t in self.composition.tools if t.name in self._named for p in t.apt}
        return frozenset(moving - others)

    @property
    def looks_for_new(self) -> bool:
        """May anything move, so that indexes must be asked at once?"""
        return self.upgrade is None or bool(self.upgrade)

    def os(self, suite: str, roots: Sequence[str]) -> OsTree | None:
        return self.tree(self.old.os if self.old else None, suite, roots)

    def tools(self, suite: str, roots: Sequence[str]) -> OsTree | None:
        return self.tree(self.old.tools_tree if self.old else None, suite, roots)

    def interpreter(self, version: str, suite: str, roots: Sequence[str]) -> OsTree | None:
        tree = self.old.interpreters.get(version) if self.old else None
        return self.tree(tree, suite, roots)

    def os_pins(self, suite: str) -> dict[str, str]:
        if not self.old or self.old.os.suite != suite:
            return {}
        return self.pins(self.old.os)

    def driver(self, os: OsTree) -> LockedDriver | None:
        """The old driver, if these are the OS packages it is locked with and it may not move."""
        old = self.old.driver if self.old else None
        if not self.old or not old or self.old.os != os:
            return None
        return old if self.tree(old.tree, old.tree.suite, old.tree.roots) else None

    def driver_pins(self, suite: str) -> tuple[dict[str, str], tuple[str, str] | None]:
        """Versions to keep of all but the driver, and the driver's to be tried first."""
        pins = self.os_pins(suite)
        if not self.old or not self.old.driver or self.upgrade is None:
            return pins, None
        module = {one.name: one.version for one in self.old.driver.tree.packages}
        driver = members(self.old)
        kept = {n: v for n, v in pins.items() if n not in driver or n.startswith("linux-image-")}
        return kept, (self.old.driver.module, module[self.old.driver.module])

    def tools_pins(self) -> dict[str, str]:
        return self.pins(self.old.tools_tree if self.old else None)

    def interpreter_pins(self, version: str) -> dict[str, str]:
        return self.pins(self.old.interpreters.get(version) if self.old else None)

    def environment(
        self, plan: EnvironmentPlan, variant: Variant, python: str
    ) -> LockedEnvironment | None:
        """The old environment if it was asked for in the same way and nothing in it may move."""
        old = self._environment(plan.name, variant)
        if old is None or self._moves(plan) or self._has_moving(old.packages):
            return None
        sources = [source for source in plan.sources if variant in source.variants]
        same_source = not sources or old.source in [source.name for source in sources]
        pythons = {plan.python} if plan.python else {python, *(s.python for s in sources)}
        same = old.requirements == plan.requirements[variant] and old.python in pythons
        same_source = same_source and old.source_only == plan.source_only
        return old if same and same_source else None

    def environment_pins(
        self, plan: EnvironmentPlan, variant: Variant
    ) -> tuple[PythonPackage, ...]:
        old = self._environment(plan.name, variant)
        if old is None or self._moves(plan):
            return ()
        return tuple(package for package in old.packages if package.name not in self._named)

    def npm(self, tool: Tool) -> LockedNpm | None:
        """The old lock of the tool's npm packages; npm itself keeps what still fits."""
        if not self.old or self.upgrade is None or tool.name in self._named:
            return None
        return next((npm for npm in self.old.npm if npm.tool == tool.name), None)

    def stays(self, tool: Tool) -> bool:
        """Whether what the old lock has of the tool is kept without asking its origin."""
        return self.upgrade is not None and tool.name not in self._named

    @property
    def held(self) -> tuple[Held, ...]:
        """What of the old lock was held and does not move now either."""
        staying = {tool.name for tool in self.composition.tools if self.stays(tool)}
        return tuple(one for one in (self.old.held if self.old else ()) if one.tool in staying)

    def origin(self, tool: Tool) -> Taken:
        """What the old lock has of the tool, if the tool still names that origin."""
        origin = self.old.origin_of(tool) if self.old else None
        if self.old is None or origin is None:
            return Taken()
        debs = [one for one in self.old.debs if one.tool == tool.name]
        if debs and (origin.debs is None or debs[0].tree.roots != tuple(origin.debs.packages)):
            return Taken()
        packages = [one for one in self.old.cran if one.tool == tool.name]
        if origin.cran and packages[0].requirements != tuple(origin.cran.packages):
            return Taken()
        conda = [one for one in self.old.conda if one.tool == tool.name]
        if origin.conda and conda[0].requirements != tuple(origin.conda.packages):
            return Taken()
        hub = [one for one in self.old.hub if one.tool == tool.name]
        if origin.hub and need_of(hub[0]) != origin.hub:
            return Taken()
        return Taken(
            choice=next((one for one in self.old.choices if one.tool == tool.name), None),
            artifact=next((one for one in self.old.artifacts if one.tool == tool.name), None),
            debs=debs[0] if debs else None,
            conda=conda[0] if conda else None,
            cran=packages[0] if packages else None,
            hub=hub[0] if hub else None,
        )

    def tree(self, old: OsTree | None, suite: str, roots: Sequence[str]) -> OsTree | None:
        """`old` if it was asked for in the same way and nothing in it may move."""
        if old is None or self.upgrade is None or self._has_moving(old.packages):
            return None
        return old if (old.suite, old.roots) == (suite, tuple(roots)) else None

    def pins(self, old: OsTree | None) -> dict[str, str]:
        """Versions of `old` that stay where they still fit."""
        if old is None or self.upgrade is None:
            return {}
        return {p.name: p.version for p in old.packages if p.name not in self.moving_os}

    @property
    def _named(self) -> frozenset[str]:
        return self.upgrade or frozenset()

    def _has_moving(self, packages: Iterable[object]) -> bool:
        return any(getattr(package, "name", None) in self.moving_os for package in packages)

    def _moves(self, plan: EnvironmentPlan) -> bool:
        return self.upgrade is None or bool(self._named & {plan.name, *plan.tools})

    def _environment(self, name: str, variant: Variant) -> LockedEnvironment | None:
        environments = self.old.environments if self.old else ()
        return next((e for e in environments if (e.name, e.variant) == (name, variant)), None)

    def _refuse_unknown(self) -> None:
        known = {tool.name for tool in self.composition.tools}
        known |= {plan.name for plan in self.composition.environments}
        if self.old:
            known |= {package.name for tree in self.old.trees for package in tree.packages}
            known |= {package.name for env in self.old.environments for package in env.packages}
        for name in sorted(self._named - known):
            raise DsvmError(
                f"nothing here is called `{name}`",
                remedy="name a tool, an environment or a package of this machine; without a name "
                "`dsvm lock --upgrade` moves everything",
            )
