"""init lock build schema: from a definition to an image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dsvm.cli import complete
from dsvm.cli.call import Call, command

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsvm.catalog.compose import Composition
    from dsvm.lock.model import Lock


def register(app: typer.Typer) -> None:
    command(app)(init)
    command(app, json=True)(lock)
    command(app, json=True)(build)
    command(app, json=True)(schema)


def init(
    call: Call,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="The machine's name; default: the folder's."),
    ] = None,
    profile: Annotated[
        str,
        typer.Option(
            metavar="PROFILE",
            help="The set of tools to begin with.",
            autocompletion=complete.profiles,
        ),
    ] = "starter",
) -> None:
    """Write a commented dsvm.toml in this folder."""
    from dsvm.cli.definition import write_definition

    path = write_definition(call, Path.cwd(), name=name, profile=profile)
    call.console.data(str(path))


def lock(
    call: Call,
    tools: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TOOL...]",
            help="With --upgrade: only these tools, environments or packages.",
            autocompletion=complete.tools,
        ),
    ] = None,
    upgrade: Annotated[bool, typer.Option("--upgrade", help="Move to newer versions.")] = False,
    proven: Annotated[
        bool,
        typer.Option(
            "--proven",
            help="With --upgrade: try the tools that changed on a machine of their own, and hold "
            "those that fail.",
        ),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only tell whether the lock is stale: exit code 1.")
    ] = False,
) -> int:
    """Write dsvm.lock: a version and a digest for every byte that will be installed."""
    from dsvm.cli.definition import definition_path
    from dsvm.errors import UsageError
    from dsvm.lock import diff

    if tools and not upgrade:
        raise UsageError("tools are named without --upgrade", remedy="dsvm lock --upgrade TOOL")
    if proven and not upgrade:
        raise UsageError("--proven goes with --upgrade", remedy="dsvm lock --upgrade --proven")
    path = definition_path()
    if check:
        return _check(call, path)
    moved = (frozenset(tools) if tools else None) if upgrade else frozenset()
    old, new = _locked(call, path, moved, proven=proven)
    changes = diff(old, new)
    if call.json:
        call.console.json([vars(change) for change in changes])
    else:
        for change in changes if old else []:
            call.console.data(str(change))
        for held in new.held:
            call.console.data(str(held))
        call.console.say(f"{len(changes)} changes" if old else "locked")
    return 0


def build(call: Call) -> None:
    """Build the layers and the image of the definition, locking it first if needed."""
    import time

    from dsvm.build.build import build as build_image
    from dsvm.catalog.compose import compose
    from dsvm.cli.definition import definition_path
    from dsvm.console import size, span
    from dsvm.host.prepare import prepare

    path = definition_path()
    prepare("auto", call.home, call.progress, agree=call.agree)
    _, composition = compose(path)
    _, locked = _locked(call, path, frozenset())
    began = time.monotonic()
    image = build_image(locked, composition, call.home, progress=call.progress)
    took = time.monotonic() - began
    shown = ("name", "kind", "digest", "bytes", "seconds", "steps", "cached")
    layers = [layer.model_dump(include=set(shown)) for layer in image.layers]
    if call.json:
        call.console.json({"image": image.id, "layers": layers, "seconds": round(took, 2)})
        return
    rows = [
        {
            "layer": layer.name,
            "size": size(layer.bytes),
            "built": "kept" if layer.cached else f"in {span(layer.seconds)}",
            "digest": layer.digest,
        }
        for layer in image.layers
    ]
    call.console.table(rows, ["layer", "size", "built", "digest"])
    call.console.data(f"image {image.id}")


def schema(call: Call) -> None:
    """The JSON Schema of dsvm.toml, for editors."""
    from dsvm.definition import json_schema

    call.console.json(json_schema())


def _locked(
    call: Call, path: Path, upgrade: frozenset[str] | None, *, proven: bool = False
) -> tuple[Lock | None, Lock]:
    """The lock beside the definition as it was, and as it is now."""
    from dsvm.build.build import proven_lock
    from dsvm.catalog.compose import compose
    from dsvm.lock import lock_beside, lock_file, write_lock

    _, composition = compose(path)
    old = lock_beside(path)

    def locked(moving: frozenset[str] | None) -> Lock:
        return proven_lock(composition, call.home, old=old, upgrade=moving, progress=call.progress)

    new = locked(upgrade)
    if proven and old:
        new = _proven(call, composition, old, new, locked)
    if new != old:
        write_lock(lock_file(path), new)
    return old, new


def _proven(
    call: Call,
    composition: Composition,
    old: Lock,
    new: Lock,
    relock: Callable[[frozenset[str] | None], Lock],
) -> Lock:
    """The new lock, with the tools that fail with their new versions as they were."""
    from dsvm.cli.definition import own_catalogs
    from dsvm.host.prepare import prepare
    from dsvm.lock.upgrade import touched, without_failing
    from dsvm.verify.trial import Setup, failing

    changed = [tool.name for tool in touched(composition.tools, old, new)]
    if not changed:
        return new
    prepare("auto", call.home, call.progress, agree=call.agree)
    setup = Setup(composition.base.name, own_catalogs(), composition.sources, new)
    failed = failing(changed, setup, call.home, call.progress)
    return without_failing(composition, old, new, failed, relock)


def _check(call: Call, path: Path) -> int:
    """Whether the lock still answers the definition; touches nothing."""
    from dsvm.catalog.compose import compose
    from dsvm.lock import lock_beside, request_digest

    _, composition = compose(path)
    lock = lock_beside(path)
    fresh = lock is not None and lock.request == request_digest(composition)
    if call.json:
        call.console.json({"fresh": fresh})
    elif fresh:
        call.console.say("the lock fits the definition")
    else:
        from dsvm.errors import DsvmError

        raise DsvmError(
            "there is no dsvm.lock" if lock is None else "the lock is stale",
            cause="the definition or the catalog asks for something else" if lock else None,
            remedy="`dsvm lock` brings it up to date, keeping versions that still fit",
        )
    return 0 if fresh else 1
