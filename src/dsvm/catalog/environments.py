"""The environments of a composition: those of the tools, merged, and a person's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from dsvm.catalog.model import Base, PythonSource, SourceOnly, Tool
from dsvm.definition.model import Variant
from dsvm.definition.read import Draft
from dsvm.definition.requirements import RequirementSet
from dsvm.errors import DsvmError

# What makes an environment a kernel in which `%pip install` works.
KERNEL_PACKAGES = ("pip", "ipykernel")
# Names Jupyter itself uses.
RESERVED = ("python3",)


@dataclass(frozen=True)
class EnvironmentPlan:
    """One environment: what it must hold, for each variant, and where that may come from.

    `python` is None for the machine's own, else `3.11`. `constraints` limit packages that others
    bring along (pip's `-c`), they ask for none. `own` is one of the definition's, not a tool's.
    `asked` says which tool wants what; all of it is in `requirements`.
    """

    name: str
    python: str | None
    requirements: dict[Variant, tuple[str, ...]]
    sources: tuple[PythonSource, ...]
    tools: tuple[str, ...]
    kernel: bool
    own: bool
    constraints: tuple[str, ...] = ()
    asked: dict[Variant, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    source_only: tuple[SourceOnly, ...] = ()


def plan_environments(
    found: Draft, tools: Sequence[Tool], variants: Sequence[Variant], base: Base, pythons: list[str]
) -> tuple[EnvironmentPlan, ...]:
    """All environments of the machine; mistakes go to the draft's faults."""
    shared: dict[str, list[Tool]] = {}
    for tool in tools:
        if tool.environment:
            shared.setdefault(tool.environment.name, []).append(tool)
    plans = [_of_tools(found, name, users, variants) for name, users in shared.items()]
    for name, wanted in found.requirements.items():
        _check_name(found, name, shared)
        python = _python(found, name, wanted, base, pythons)
        plans.append(_own(name, wanted, python, variants))
    return tuple(plans)


def _of_tools(
    found: Draft, name: str, tools: list[Tool], variants: Sequence[Variant]
) -> EnvironmentPlan:
    needs = [tool.environment for tool in tools if tool.environment]
    kernel = any(need.kernel for need in needs)
    declared = {variant for need in needs for variant in need.variants}
    wanted: list[Variant] = [v for v in variants if v in declared] or ["cpu"]
    return EnvironmentPlan(
        name=name,
        python=None,
        requirements={v: _merged(tools, v, kernel) for v in wanted},
        sources=_sources(found, name, tools),
        tools=tuple(tool.name for tool in tools),
        kernel=kernel,
        own=False,
        asked={v: {tool.name: _wants(tool, v) for tool in tools} for v in wanted},
        source_only=tuple(
            {one.package: one for need in needs for one in need.source_only}.values()
        ),
    )


def _wants(tool: Tool, variant: Variant) -> tuple[str, ...]:
    """What one tool asks for; one that has no such variant, what it asks for `cpu`."""
    need = tool.environment
    return tuple(need.variants.get(variant, need.variants["cpu"])) if need else ()


def _merged(tools: list[Tool], variant: Variant, kernel: bool) -> tuple[str, ...]:
    """The requirements of all tools."""
    texts = [text for tool in tools for text in _wants(tool, variant)]
    return _with_kernel(texts) if kernel else tuple(dict.fromkeys(texts))


def _with_kernel(texts: Sequence[str]) -> tuple[str, ...]:
    have = {canonicalize_name(Requirement(text).name) for text in texts}
    added = [name for name in KERNEL_PACKAGES if name not in have]
    return tuple(dict.fromkeys([*texts, *added]))


def _sources(found: Draft, name: str, tools: list[Tool]) -> tuple[PythonSource, ...]:
    """The sources the tools of one environment agree on."""
    named = [(t, t.environment.sources) for t in tools if t.environment and t.environment.sources]
    if not named:
        return ()
    first, sources = named[0]
    for other, others in named[1:]:
        if others != sources:
            error = DsvmError(
                f"`{first.name}` and `{other.name}` cannot share the environment `{name}`",
                cause="they name different sources for its packages",
                remedy="give one of them another environment, or the same `sources`",
            )
            found.faults.add_error("the catalog", ("environment", name, other.name), error)
    return tuple(sources)


def _check_name(found: Draft, name: str, shared: dict[str, list[Tool]]) -> None:
    place = ("environments", name)
    if found.faults.known(found.source, place):
        return
    if name in shared:
        owner = shared[name][0].name
        what = f"environment `{name}` belongs to the tool `{owner}`"
        remedy = f"choose another name for it, like `my-{name}`"
        found.faults.add(found.source, place, what, remedy=remedy[:80])
    elif name in RESERVED:
        what = f"environment `{name}` has a name that Jupyter itself uses"
        found.faults.add(found.source, place, what, remedy="choose another name for it")


def _python(
    found: Draft, name: str, wanted: RequirementSet, base: Base, pythons: list[str]
) -> str | None:
    """The version it runs on: the one named, else the first offered that its file allows."""
    named = found.definition.environments[name].python
    allowed = SpecifierSet(wanted.python)
    if named is not None and named not in pythons:
        what, offered = f"Python {named} is not offered on `{base.name}`", pythons
        place = ("environments", name, "python")
    elif fitting := [v for v in ([named] if named else pythons) if _allows(allowed, v)]:
        return None if fitting[0] == base.python else fitting[0]
    else:
        what = f"the file of environment `{name}` wants Python {wanted.python}"
        offered = [v for v in pythons if _allows(allowed, v)] or pythons
        place = ("environments", name, "python" if named else "file")
    if not found.faults.known(found.source, place):
        listed = ", ".join(f"`{version}`" for version in offered)
        found.faults.add(found.source, place, what, remedy=f"there is Python {listed}")
    return None


def _allows(allowed: SpecifierSet, version: str) -> bool:
    """Whether some release of `version` (`3.13`) is allowed: the newest ones decide."""
    return any(allowed.contains(f"{version}.{patch}") for patch in range(40))


def _own(
    name: str, wanted: RequirementSet, python: str | None, variants: Sequence[Variant]
) -> EnvironmentPlan:
    texts = _with_kernel(wanted.requirements)
    return EnvironmentPlan(
        name=name,
        python=python,
        requirements=dict.fromkeys(variants, texts),
        sources=(),
        tools=(),
        kernel=True,
        own=True,
        constraints=tuple(wanted.constraints),
    )
