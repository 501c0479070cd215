"""Definition + catalog -> Composition: all that has to be locked, built and proven."""

from __future__ import annotations

from dataclasses import dataclass

from dsvm.catalog.model import App, Base, Kernel, PythonSource, Tool
from dsvm.definition.model import Variant


@dataclass(frozen=True)
class EnvironmentPlan:
    """One environment: what it must hold, for each variant, and where that may come from."""

    name: str
    python: str | None
    requirements: dict[Variant, tuple[str, ...]]
    sources: tuple[PythonSource, ...]
    tools: tuple[str, ...]
    kernel: bool
    own: bool


@dataclass(frozen=True)
class Composition:
    base: Base
    tools: tuple[Tool, ...]
    packages: tuple[str, ...]
    environments: tuple[EnvironmentPlan, ...]
    variants: tuple[Variant, ...]
    sources: dict[str, str]

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        return tuple(kernel for tool in self.tools for kernel in tool.kernels)

    @property
    def apps(self) -> tuple[App, ...]:
        return tuple(app for tool in self.tools for app in tool.apps)
