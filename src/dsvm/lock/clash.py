"""Why tools that share an environment cannot: which of them, in which packages, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dsvm.errors import DsvmError
from dsvm.lock.wheels import Wheel
from dsvm.programs import ProgramFailed, TimedOut

Solve = Callable[[Sequence[str]], list[Wheel]]
"""What these requirements resolve to. Raises `ProgramFailed`."""


@dataclass(frozen=True)
class Clash:
    """Two tools, each of which can be locked alone; `versions` is what each then has by name."""

    tools: tuple[str, str]
    versions: tuple[Mapping[str, str], Mapping[str, str]]
    said: str

    @property
    def packages(self) -> list[str]:
        """What both need in different versions: those that the resolver speaks of, if any."""
        one, other = self.versions
        differing = [name for name in sorted(one) if name in other and one[name] != other[name]]
        spoken_of = _names(self.said)
        return [name for name in differing if name in spoken_of] or differing


def find_clash(asked: Mapping[str, Sequence[str]], solve: Solve) -> Clash | None:
    """The first tool that cannot come to those before it, and the one of these that keeps it out.

    `asked`: tool -> its requirements, all of which together did not resolve. None where a tool
    does not resolve alone, or where no two of them are enough for a clash. Raises `TimedOut`.
    """
    before: dict[str, Sequence[str]] = {}
    for tool, texts in asked.items():
        if _failure(solve, [*_flat(before), *texts]):
            return _with(tool, texts, before, solve)
        before[tool] = texts
    return None


def _with(
    tool: str, texts: Sequence[str], before: Mapping[str, Sequence[str]], solve: Solve
) -> Clash | None:
    """Which of the tools before it keeps this one out."""
    for other, others in before.items():
        if failed := _failure(solve, [*others, *texts]):
            try:
                alone = (_versions(solve(others)), _versions(solve(texts)))
            except ProgramFailed:
                return None
            return Clash((other, tool), alone, failed.output.strip())
    return None


def _failure(solve: Solve, texts: Sequence[str]) -> ProgramFailed | None:
    """Why these do not resolve. Raises `TimedOut`: that says nothing about them."""
    try:
        solve(texts)
    except TimedOut:
        raise
    except ProgramFailed as failed:
        return failed
    return None


def _flat(asked: Mapping[str, Sequence[str]]) -> list[str]:
    return [text for texts in asked.values() for text in texts]


def _versions(wheels: Sequence[Wheel]) -> dict[str, str]:
    return {wheel.name: wheel.version for wheel in wheels}


def explained(
    clash: Clash, environment: str, variant: str, asked: Mapping[str, Sequence[str]]
) -> DsvmError:
    """The error for a person."""
    one, other = clash.tools
    packages = clash.packages
    lines = [f"they clash in {', '.join(packages)}"] if packages else []
    for tool, versions in zip(clash.tools, clash.versions, strict=True):
        lines.append(f"{tool}: {_wants(asked[tool], packages, versions)}")
    said = clash.said.replace("dsvm-environment", f"environment `{environment}`")
    return DsvmError(
        f"`{one}` and `{other}` cannot share the environment `{environment}` ({variant})",
        cause="\n".join([*lines, said]),
        remedy=f"give `{other}` an environment of its own: another `name` in [environment] of its "
        "tool.toml; or leave one of the two out",
    )


def _wants(texts: Sequence[str], packages: Sequence[str], versions: Mapping[str, str]) -> str:
    """What a tool asks for of these packages, and what it has when it is alone."""
    said = [text for text in texts if canonicalize_name(Requirement(text).name) in packages]
    asked = ", ".join(said) or f"{', '.join(texts)} (not by name)"
    alone = ", ".join(f"{name} {versions[name]}" for name in packages)
    return f"asks for {asked}" + (f"; alone it has {alone}" if alone else "")


def _names(said: str) -> set[str]:
    """The names in the resolver's text: of `numpy>=2,` it is `numpy`."""
    return {canonicalize_name(word) for word in re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*", said)}
