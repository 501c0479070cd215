"""What a changed definition asks of a machine that exists: a pure comparison, old with new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from dsvm.definition import format_bytes
from dsvm.definition.model import Definition, UserDefinition
from dsvm.engines.base import Size
from dsvm.errors import DsvmError
from dsvm.lock.model import (
    Lock,
    LockedArtifact,
    LockedCran,
    LockedDebs,
    LockedEnvironment,
    LockedHub,
    LockedNpm,
    OsPackage,
    OsTree,
)

App = LockedNpm | LockedArtifact | LockedDebs | LockedCran | LockedHub


@dataclass(frozen=True)
class Wish:
    """A definition with its lock: what a machine is or shall be.

    `tools` maps each tool to the OS packages it asks for and the environment it lives in (or
    None); of an old wish only its names count. `ports` are those its apps have inside.
    """

    definition: Definition
    lock: Lock
    size: Size
    tools: Mapping[str, tuple[tuple[str, ...], str | None]]
    ports: frozenset[int]


@dataclass(frozen=True)
class Change:
    """What has to be done, and what of it a person is told.

    `environments` are those added or swapped, `dropped` those gone. `install` are OS packages at
    locked versions, `remove` names. `restart` says why the machine must be started anew (empty:
    it need not). `size`: its processors or memory differ, `disk`: its disk is larger. `prove` names
    the tools whose checks have to run again.
    """

    environments: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    install: tuple[OsPackage, ...] = ()
    remove: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    network: bool = False
    size: bool = False
    disk: bool = False
    restart: tuple[str, ...] = ()
    prove: tuple[str, ...] = ()
    said: tuple[str, ...] = ()


def plan_change(old: Wish, new: Wish) -> Change:
    """Compare; touches nothing. Raises `DsvmError` for what cannot be changed in place."""
    _refuse(old, new)
    environments, dropped = _environments(old.lock, new.lock)
    install, remove = _packages(old.lock, new.lock)
    people = tuple(_people(old.definition.users, new.definition.users))
    change = Change(
        environments=environments,
        dropped=dropped,
        install=install,
        remove=remove,
        users=people,
        network=old.definition.network != new.definition.network,
        size=(old.size.cpus, old.size.memory) != (new.size.cpus, new.size.memory),
        disk=old.size.disk != new.size.disk,
        restart=tuple(_restarts(old, new)),
        prove=_touched(old, new, {*environments, *dropped}, install, remove),
    )
    return replace(change, said=tuple(_said(change, old, new)))


def check_base(name: str, there: str, wanted: str) -> None:
    """Raises `DsvmError` when a definition wants another base than its machine has."""
    if there != wanted:
        raise DsvmError(
            f"machine `{name}` runs {there}, the definition now says {wanted}",
            cause="the operating system of a machine cannot be swapped below its files",
            remedy=f"give the definition another `name` for a second machine, or copy what you "
            f"need out, `dsvm rm {name}` and `dsvm up` again",
        )


def _refuse(old: Wish, new: Wish) -> None:
    check_base(new.definition.name, old.lock.base, new.lock.base)
    if new.size.disk < old.size.disk:
        there, wanted = format_bytes(old.size.disk), format_bytes(new.size.disk)
        raise DsvmError(
            f"the disk of machine `{new.definition.name}` cannot shrink",
            cause=f"it is {there}, the definition now says {wanted}",
            remedy=f"say at least {there}; a disk takes no more room than what is written on it",
        )


def _environments(old: Lock, new: Lock) -> tuple[tuple[str, ...], tuple[str, ...]]:
    before, after = _by_environment(old), _by_environment(new)
    swapped = tuple(name for name in sorted(after) if after[name] != before.get(name))
    return swapped, tuple(sorted(set(before) - set(after)))


def _by_environment(lock: Lock) -> dict[str, object]:
    """All that an environment is made of: its variants, each with its interpreter."""
    found: dict[str, list[tuple[LockedEnvironment, OsTree | None]]] = {}
    for one in lock.environments:
        interpreter = lock.interpreters[one.interpreter] if one.interpreter else None
        found.setdefault(one.name, []).append((one, interpreter))
    return {**found, **{one.environment: one for one in lock.conda}}


def _packages(old: Lock, new: Lock) -> tuple[tuple[OsPackage, ...], tuple[str, ...]]:
    before = {package.name: package.version for package in old.os.packages}
    after = {package.name for package in new.os.packages}
    install = tuple(
        package for package in new.os.packages if before.get(package.name) != package.version
    )
    return install, tuple(sorted(set(before) - after))


def _restarts(old: Wish, new: Wish) -> Iterable[str]:
    if old.definition.mounts != new.definition.mounts:
        yield "the mounts changed"
    if old.size.accelerator != new.size.accelerator:
        yield "the accelerator changed"
    if _devices_differ(old, new):
        yield "the devices of the host changed"
    if new.ports - old.ports:
        yield "an app needs a port of the host"


def _devices_differ(old: Wish, new: Wish) -> bool:
    return old.definition.size.devices != new.definition.size.devices


def _touched(
    old: Wish,
    new: Wish,
    environments: set[str],
    install: tuple[OsPackage, ...],
    remove: tuple[str, ...],
) -> tuple[str, ...]:
    """Tools whose environment or own packages changed; all of them once a package that was
    there is another one, for anything may stand on it."""
    known = {package.name for package in old.lock.os.packages}
    added = {package.name for package in install}
    other_hardware = old.size.accelerator != new.size.accelerator or _devices_differ(old, new)
    if remove or added & known or other_hardware:
        return tuple(new.tools)
    apps = _by_app(old.lock)
    apps_differ = {name for name, app in _by_app(new.lock).items() if app != apps.get(name)}
    return tuple(
        name
        for name, (packages, environment) in new.tools.items()
        if name not in old.tools
        or name in apps_differ
        or environment in environments
        or added & set(packages)
    )


def _people(old: Mapping[str, UserDefinition], new: Mapping[str, UserDefinition]) -> Iterable[str]:
    for name in sorted(new.keys() - old.keys()):
        yield f"user {name} may log in"
    for name in sorted(old.keys() - new.keys()):
        yield (
            f"user {name} can no longer log in and what ran was ended; /home/{name} and changes "
            f"of environments stay, and are there again when [users.{name}] is"
        )
    for name in sorted(old.keys() & new.keys()):
        if old[name] != new[name]:
            yield f"user {name} has other keys"


def _said(change: Change, old: Wish, new: Wish) -> Iterable[str]:
    before = _by_environment(old.lock)
    versions = {package.name: package.version for package in old.lock.os.packages}
    for name in change.environments:
        yield f"environment {name} {'swapped' if name in before else 'added'}"
    for name in change.dropped:
        yield f"environment {name} taken away"
    yield from _said_of_apps(change, old, new)
    for package in change.install:
        was = versions.get(package.name)
        shown = f"{was} → {package.version}" if was else f"{package.version} added"
        yield f"package {package.name} {shown}"
    for name in change.remove:
        yield f"package {name} {versions[name]} removed"
    if change.size or change.disk:
        memory, disk = format_bytes(new.size.memory), format_bytes(new.size.disk)
        yield f"size now {new.size.cpus} CPUs, {memory} of memory, {disk} of disk"
    yield from change.users
    if change.network:
        yield "network changed"


def _said_of_apps(change: Change, old: Wish, new: Wish) -> Iterable[str]:
    """Layers of npm packages and artifacts, by the tool they belong to."""
    before, after = _by_app(old.lock), _by_app(new.lock)
    for tool in sorted(after):
        if after[tool] != before.get(tool):
            yield f"app {tool} {'swapped' if tool in before else 'added'}"
    for tool in sorted(set(before) - set(after)):
        yield f"app {tool} taken away"
    if old.ports - new.ports and not change.restart:
        yield "a page is gone; its port of this host closes at the machine's next start"


def _by_app(lock: Lock) -> dict[str, App]:
    apps: tuple[App, ...] = (*lock.npm, *lock.artifacts, *lock.debs, *lock.cran, *lock.hub)
    return {app.tool: app for app in apps}
