"""The builds of one environment have the same versions of what they all are asked for.

A model that was made on the CPU must meet the same framework on the GPU, and back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dsvm.catalog.environments import EnvironmentPlan
from dsvm.definition.model import Variant
from dsvm.errors import DsvmError
from dsvm.lock.model import LockedEnvironment, PythonPackage


@dataclass(frozen=True)
class Beside:
    """Packages of another build: `firm` must have the same version here, `others` should."""

    firm: tuple[PythonPackage, ...] = ()
    others: tuple[PythonPackage, ...] = ()


NO_OTHER = Beside()
LockOne = Callable[[Variant, LockedEnvironment | None], LockedEnvironment]


def lock_alike(
    plan: EnvironmentPlan, variants: list[Variant], lock: LockOne
) -> tuple[LockedEnvironment, ...]:
    """Lock each variant by `lock`, told the first one; where that cannot be, the other way round.

    Raises `DsvmError` where no versions serve both.
    """
    first, *rest = variants
    locked = [lock(first, None)]
    for variant in rest:
        try:
            locked.append(lock(variant, locked[0]))
        except DsvmError:
            alone = lock(variant, None)
            try:
                locked = [lock(first, alone), *locked[1:], alone]
            except DsvmError as failed:
                raise _apart(plan, locked[0], alone) from failed
    return tuple(locked)


def beside(plan: EnvironmentPlan, variant: Variant, other: LockedEnvironment) -> Beside:
    """What a build takes from one that is locked already."""
    names = _asked_of_both(plan, variant, other.variant)
    packages = [_public(package) for package in other.packages]
    return Beside(
        tuple(one for one in packages if one.name in names),
        tuple(one for one in packages if one.name not in names),
    )


def alike(plan: EnvironmentPlan, one: LockedEnvironment, other: LockedEnvironment) -> bool:
    """Whether both have the same versions of what both are asked for."""
    return not _differing(plan, one, other)


def _differing(
    plan: EnvironmentPlan, one: LockedEnvironment, other: LockedEnvironment
) -> list[str]:
    versions = {package.name: _public(package).version for package in one.packages}
    firm = beside(plan, one.variant, other).firm
    return [
        f"{package.name} is {versions[package.name]} for {one.variant}, "
        f"{package.version} for {other.variant}"
        for package in firm
        if versions.get(package.name, package.version) != package.version
    ]


def _apart(plan: EnvironmentPlan, one: LockedEnvironment, other: LockedEnvironment) -> DsvmError:
    return DsvmError(
        f"the builds of environment `{plan.name}` for {one.variant} and {other.variant} cannot "
        "have the same versions",
        cause="; ".join(_differing(plan, one, other)) or None,
        remedy="ask for versions that both have, or for one build: `[accelerator] variants`",
    )


def _asked_of_both(plan: EnvironmentPlan, one: Variant, other: Variant) -> set[str]:
    return _names(plan.requirements[one]) & _names(plan.requirements[other])


def _names(requirements: tuple[str, ...]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def _public(package: PythonPackage) -> PythonPackage:
    """Without the local part of its version: `2.9.1+cpu` is a build of 2.9.1."""
    return package.model_copy(update={"version": package.version.partition("+")[0]})
