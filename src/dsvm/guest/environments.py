"""Mounts every environment: the variant that fits the hardware, and the overlays on it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dsvm.guest import carry, commands, layers, outcome, overlay, views
from dsvm.guest.hardware import Nvidia
from dsvm.guest.outcome import EnvironmentState, Outcome
from dsvm.guest.places import (
    ENVS,
    LAYERS,
    OVERLAYS,
    PYTHONS,
    TOLD,
    TRASH,
    USER_OVERLAYS,
    VAR,
    VIEWS,
)
from dsvm.guest.places import overlay as overlay_of
from dsvm.guest.seed import Seed, SeedEnvironment, SeedLayer, SeedTree
from dsvm.guest.system import GuestError, folder, mounts, run, unmount, write

APPS = Path("/opt/dsvm/apps")


@dataclass(frozen=True)
class Account:
    """A person in the machine."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Choice:
    """The variant to mount and, of several, why that one; `problem` is told as an error."""

    variant: str | None
    reason: str
    problem: str | None = None


def choose(
    variants: Sequence[str], accelerator: str, nvidia: Nvidia, cuda: str | None = None
) -> Choice:
    """The variant that fits: `nvidia`, whose build needs this CUDA, only if it will run there."""
    may = accelerator != "cpu"
    fault = nvidia.fault_of(cuda if "nvidia" in variants else None)
    if may and nvidia.present and not fault and "nvidia" in variants:
        return Choice("nvidia", "a kernel ran on the GPU")
    if "cpu" not in variants:
        why = f": {fault.text}" if nvidia.present and fault else ""
        return Choice(None, "", f"there is no usable GPU and no cpu build of it{why}")
    if "nvidia" not in variants:
        return Choice("cpu", "")
    if may and nvidia.present and fault:
        return Choice("cpu", f"the GPU is not used: {fault.cause}", fault.sentence())
    if accelerator == "nvidia":
        return Choice("cpu", "no GPU", "nvidia is wanted but there is no GPU")
    return Choice("cpu", "no GPU" if may else "accelerator is cpu")


def apply(
    seed: Seed, nvidia: Nvidia, login: Account, others: Sequence[Account], out: Outcome
) -> set[str]:
    """Mount all of the seed's; unmount what is not in it. Returns what is now another mount.

    `others` are the users whose views must follow at once, as they may be logged in.
    """
    _clean(seed)
    changed = {point for tree in seed["trees"] if (point := _tree(tree, out))}
    commands.apply(seed["trees"], out)
    for environment in seed["environments"]:
        if _environment(environment, seed["accelerator"], nvidia, login, others, out):
            changed.add(environment["mountpoint"])
    return changed


def _tree(tree: SeedTree, out: Outcome) -> str | None:
    point = Path(tree["mountpoint"])
    try:
        layer = layers.mounted(tree["layer"]["digest"], tree["layer"]["bytes"])
        if _same(layer, point):
            return None
        unmount(point)
        run("mount", "--bind", "-o", "ro", layer, folder(point))
        return str(point)
    except GuestError as failed:
        out.errors.append(f"{point}: {failed}")
        return None


def _same(one: Path, other: Path) -> bool:
    return str(other) in mounts() and one.stat().st_dev == other.stat().st_dev


def _environment(
    environment: SeedEnvironment,
    accelerator: str,
    nvidia: Nvidia,
    login: Account,
    others: Sequence[Account],
    out: Outcome,
) -> bool:
    variants = list(environment["variants"])
    choice = choose(variants, accelerator, nvidia, environment.get("cuda"))
    problem, layer, aside, changed = choice.problem, None, "", False
    try:
        if choice.variant:
            wanted = environment["variants"][choice.variant]
            layer, aside, changed = _mount(environment, wanted, login, others)
    except (GuestError, OSError) as failed:
        problem = str(failed)
    out.environments.append(
        EnvironmentState(
            name=environment["name"],
            python=_python(layer) or environment["python"],
            mountpoint=environment["mountpoint"],
            variant=choice.variant if layer else None,
            device=choice.variant if layer else None,
            layer=layer.name if layer else None,
            reason=choice.reason,
            set_aside=aside,
            error=problem,
        )
    )
    if problem:
        out.errors.append(f"environment {environment['name']}: {problem}")
    return changed


def _python(layer: Path | None) -> str | None:
    """The Python of a variant: another variant of the same environment may have another one."""
    libraries = sorted(layer.glob("lib/python3.*")) if layer else []
    return libraries[0].name.removeprefix("python") if libraries else None


def _mount(
    environment: SeedEnvironment,
    wanted: SeedLayer,
    login: Account,
    others: Sequence[Account],
) -> tuple[Path, str, bool]:
    layer = layers.mounted(wanted["digest"], wanted["bytes"])
    point, name = Path(environment["mountpoint"]), environment["name"]
    aside, changed = _one(layer, wanted["digest"], overlay_of(name, None), point, login)
    for user in others:
        _view(name, layer, point, user)
    return layer, aside, changed


def prepare(user: Account) -> None:
    """Mount this user's views. Raises `GuestError`."""
    for name, one in outcome.environments().items():
        if one["variant"]:
            _view(name, LAYERS / one["layer"], Path(one["mountpoint"]), user)


def _view(name: str, layer: Path, point: Path, user: Account) -> None:
    """One environment as this user sees it; what was set aside is told at the user's logins."""
    view, mine = VIEWS / name / user.name, overlay_of(name, user.name)
    folder(view.parent.parent, mode=0o711)
    folder(view.parent, mode=0)
    told, anew = _one(layer, layer.name, mine, view, user)
    if told:
        file = folder(TOLD, mode=0o711) / user.name
        before = file.read_text() if file.exists() else ""
        write(file, f"{before}{name}: {told}\n", mode=0o600, uid=user.uid, gid=user.gid)
    if anew:
        views.rebind(view, point, overlay.tag(mine), user.uid)


def _one(layer: Path, digest: str, changes: Path, point: Path, who: Account) -> tuple[str, bool]:
    """One overlay of one user. A changed layer comes under it only when nothing is mounted."""
    if str(point) in mounts() and not overlay.is_mounted(layer, changes, point):
        unmount(point)
    told = carry.to_layer(changes, layer, digest, uid=who.uid, gid=who.gid)
    changed = overlay.mount(layer, changes, point, uid=who.uid, gid=who.gid)
    return (told.sentence() if told else ""), changed


def _clean(seed: Seed) -> None:
    """Unmount environments, views and trees that the seed no longer has; keep what users did."""
    wanted = {environment["mountpoint"] for environment in seed["environments"]}
    wanted |= {tree["mountpoint"] for tree in seed["trees"]}
    users = {user["name"] for user in seed["users"]}
    names = {environment["name"] for environment in seed["environments"]}
    for point in map(Path, mounts()):
        if point.parent in (ENVS, PYTHONS, APPS) and str(point) not in wanted:
            unmount(point)
            point.rmdir()
        if point.parent.parent == VIEWS and (
            point.name not in users or point.parent.name not in names
        ):
            unmount(point)


def start_clean() -> None:
    """Once a boot: the folders, and away with what `reset` put off."""
    for place in (VAR, OVERLAYS, USER_OVERLAYS):
        folder(place, mode=0o711)
    shutil.rmtree(TRASH, ignore_errors=True)
    folder(TRASH, mode=0o700)
