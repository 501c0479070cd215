"""An upgrade that holds back the tools which fail with their new versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dsvm.catalog.compose import Composition
from dsvm.catalog.model import Tool
from dsvm.lock.model import Held, Lock
from dsvm.lock.versions import versions_of


@dataclass(frozen=True)
class Newer:
    """One package that a tool names: the locked version, and the one its source has now."""

    tool: str
    package: str
    locked: str
    now: str
    held: str | None = None


def newer(tools: Sequence[Tool], old: Lock, new: Lock) -> list[Newer]:
    """Where the new lock has another version of what a tool asks for; `held`: why it stays."""
    held = {one.tool: one.why for one in old.held}
    return [
        Newer(tool.name, name, before, now, held.get(tool.name))
        for tool in tools
        for name, before in versions_of(tool, old).items()
        if (now := versions_of(tool, new).get(name, before)) != before
    ]


def touched(tools: Sequence[Tool], old: Lock, new: Lock) -> list[Tool]:
    """The tools of which anything is another: a package they name, or their environment."""
    return [
        tool
        for tool in tools
        if versions_of(tool, old) != versions_of(tool, new)
        or _lives(tool, old) != _lives(tool, new)
    ]


def without_failing(
    composition: Composition,
    old: Lock,
    new: Lock,
    failing: Mapping[str, str],
    relock: Callable[[frozenset[str]], Lock],
) -> Lock:
    """The new lock, but the tools that are `failing` (with the reason) as the old one has them.

    Tools that share an environment with one of these keep the environment with it. `relock` makes
    a lock in which only the named tools, environments and packages move.
    """
    if not failing:
        return new
    stay = {tool.name for tool in composition.tools if tool.name in failing}
    environments = {tool.lives_in for tool in composition.tools if tool.name in stay}
    names = {tool.name for tool in composition.tools if not _stays(tool, stay, environments)}
    names |= {one.name for one in composition.environments if one.name not in environments}
    kept = {package for tool in composition.tools if tool.name in stay for package in tool.apt}
    trees = (old.os, old.tools_tree, *old.interpreters.values())
    names |= {one.name for tree in trees for one in tree.packages if one.name not in kept}
    lock = relock(frozenset(names))
    held = [
        Held(tool=t.name, refused=_refused(t, old, new), why=failing[t.name])
        for t in composition.tools
        if t.name in stay
    ]
    others = [one for one in lock.held if one.tool not in stay]
    return lock.model_copy(update={"held": (*others, *held)})


def _stays(tool: Tool, stay: set[str], environments: set[str | None]) -> bool:
    return tool.name in stay or (tool.lives_in is not None and tool.lives_in in environments)


def _refused(tool: Tool, old: Lock, new: Lock) -> dict[str, str]:
    before = versions_of(tool, old)
    return {n: v for n, v in versions_of(tool, new).items() if before.get(n) != v}


def _lives(tool: Tool, lock: Lock) -> list[object]:
    """What the lock has of the environment the tool lives in."""
    place = tool.lives_in
    return [
        *(one.packages for one in lock.environments if one.name == place),
        *(one.packages for one in lock.conda if one.environment == place),
    ]
