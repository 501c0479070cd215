"""Writes what the guest is told at each start: machines/<name>/seed/seed.json (0600).

The words are those of `dsvm.guest.seed`. Secrets (host key, app tokens, inherited credentials)
are in this file and in no other place the guest's image or layers come from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from dsvm.build.model import Image, Layer
from dsvm.catalog.compose import Composition
from dsvm.catalog.load import load_catalog
from dsvm.catalog.model import Base, Kernel, Tool
from dsvm.definition.model import Definition
from dsvm.errors import DsvmError
from dsvm.guest.seed import (
    Seed,
    SeedApp,
    SeedEnvironment,
    SeedFile,
    SeedKernel,
    SeedLayer,
    SeedNetwork,
    SeedTree,
    SeedUser,
)
from dsvm.lock.model import Lock, LockedConda, LockedEnvironment
from dsvm.lock.toolkit import cuda_of
from dsvm.machines.inherit import network
from dsvm.machines.keys import HOST, OWNER, public
from dsvm.machines.machine import LOGIN, Machine
from dsvm.machines.seed_units import backend_port, units_of
from dsvm.whole import write_whole

SEED = "seed/seed.json"
VERSION = 1
# The guest puts in the version of the variant that it mounts: they may differ.
DISPLAY_NAME = "{name} (Python {{python}})"


def write_seed(
    machine: Machine, definition: Definition, composition: Composition, lock: Lock | None = None
) -> None:
    """Write the seed of a machine; `lock` is the one to come where it is not yet the record's.

    The layers are the record's. Raises `DsvmError` when one of the lock's environments has no
    layer.
    """
    _save(machine, make_seed(machine, definition, composition, lock or machine.record.lock))


def write_packed(machine: Machine, seed: dict[str, Any], definition: Definition) -> None:
    """Write a seed that came with the machine from elsewhere; its network is this host's."""
    base = load_catalog().bases[machine.record.lock.base]
    _save(machine, {**seed, "network": _network(definition, base)})


def refresh_network(machine: Machine, definition: Definition) -> None:
    """Bring the inherited network up to date with the host of now; the rest stays."""
    path = machine.folder / SEED
    seed: Seed = json.loads(path.read_text(encoding="utf-8"))
    seed["network"] = _network(definition, load_catalog().bases[machine.record.lock.base])
    _save(machine, seed)


def make_seed(
    machine: Machine, definition: Definition, composition: Composition, lock: Lock
) -> Seed:
    """The seed as data."""
    record, keys = machine.record, machine.folder / "ssh"
    seed = _seed(definition, composition, lock, record.layers, record.tokens)
    seed["authorized_keys"] = [public(keys, OWNER)]
    seed["host_key"] = (keys / HOST).read_text(encoding="utf-8")
    seed["host_key_public"] = public(keys, HOST)
    seed["accelerator"] = record.size.accelerator
    seed["image"] = record.image.id
    seed["network"] = _network(definition, composition.base)
    return seed


def image_seed(definition: Definition, composition: Composition, lock: Lock, image: Image) -> Seed:
    """The seed of an exported image: nothing in it is secret or of this host."""
    layers = tuple(layer for layer in image.layers if layer.mountpoint)
    seed = _seed(definition, composition, lock, layers, {})
    seed["image"] = image.id
    seed["alone"] = True
    return seed


def _seed(
    definition: Definition,
    composition: Composition,
    lock: Lock,
    layers: tuple[Layer, ...],
    tokens: Mapping[str, str],
) -> Seed:
    """What follows from the definition and what was built for it."""
    composition = composition.without(lock.unreachable)
    return Seed(
        version=VERSION,
        name=definition.name,
        login=LOGIN,
        authorized_keys=[],
        host_key="",
        host_key_public="",
        accelerator=definition.size.accelerator,
        image="",
        environments=_environments(composition, lock, layers),
        trees=_trees(layers, _commands(composition, lock)),
        kernels=[_kernel(tool, one) for tool in composition.tools for one in tool.kernels],
        apps=_apps(composition, tokens),
        units=[unit for tool in composition.tools for unit in units_of(tool)],
        files=[file for tool in composition.tools for file in _files(tool)],
        users=[
            SeedUser(name=name, keys=list(user.keys)) for name, user in definition.users.items()
        ],
        network=None,
    )


def _environments(
    composition: Composition, lock: Lock, layers: tuple[Layer, ...]
) -> list[SeedEnvironment]:
    locked: dict[str, list[LockedEnvironment]] = {}
    for one in lock.environments:
        locked.setdefault(one.name, []).append(one)
    kernels = {plan.name: plan.kernel for plan in composition.environments}
    return [_environment(name, variants, layers, kernels) for name, variants in locked.items()] + [
        _conda(one, layers) for one in lock.conda
    ]


def _environment(
    name: str,
    variants: list[LockedEnvironment],
    layers: tuple[Layer, ...],
    kernels: Mapping[str, bool],
) -> SeedEnvironment:
    environment = SeedEnvironment(
        name=name,
        python=variants[0].python,
        mountpoint=_mountpoint(name, layers),
        variants=_variants(variants, layers),
        kernel=kernels[name],
        display_name=DISPLAY_NAME.format(name=name),
    )
    for one in variants:
        if one.variant == "nvidia" and (cuda := cuda_of(one.packages)):
            environment["cuda"] = cuda
    return environment


def _conda(conda: LockedConda, layers: tuple[Layer, ...]) -> SeedEnvironment:
    name = conda.environment
    return SeedEnvironment(
        name=name,
        python=conda.python,
        mountpoint=_mountpoint(name, layers),
        variants={"cpu": _layer(_of(name, "cpu", layers))},
        kernel=conda.kernel,
        display_name=DISPLAY_NAME.format(name=name),
    )


def _variants(locked: list[LockedEnvironment], layers: tuple[Layer, ...]) -> dict[str, SeedLayer]:
    return {one.variant: _layer(_of(one.name, one.variant, layers)) for one in locked}


def _of(name: str, variant: str | None, layers: tuple[Layer, ...]) -> Layer:
    for layer in layers:
        if layer.environment == name and variant in (None, layer.variant):
            return layer
    raise DsvmError(
        f"environment `{name}` ({variant}) is in the lock but was not built",
        remedy="`dsvm build` makes it",
    )


def _mountpoint(name: str, layers: tuple[Layer, ...]) -> str:
    return _of(name, None, layers).mountpoint or f"/opt/dsvm/envs/{name}"


def _layer(layer: Layer) -> SeedLayer:
    return SeedLayer(digest=layer.digest, bytes=layer.bytes)


def _trees(layers: tuple[Layer, ...], commands: Mapping[str, dict[str, str]]) -> list[SeedTree]:
    found = []
    for layer in layers:
        if layer.kind in ("interpreter", "app") and layer.mountpoint:
            tree = SeedTree(mountpoint=layer.mountpoint, layer=_layer(layer))
            if layer.name in commands:
                tree["commands"] = commands[layer.name]
            found.append(tree)
    return found


def _commands(composition: Composition, lock: Lock) -> dict[str, dict[str, str]]:
    """Layer of an app -> its commands that people call by name."""
    chosen = [(tool.name, lock.origin_of(tool) or tool) for tool in composition.tools]
    return {f"app-{name}": one.commands for name, one in chosen if one.commands}


def _apps(composition: Composition, tokens: Mapping[str, str]) -> list[SeedApp]:
    services = [service for tool in composition.tools for service in tool.services]
    behind = {service.name: port for service in services if (port := backend_port(service))}
    found = []
    for app in composition.apps:
        seed = SeedApp(name=app.name, port=app.port, token=tokens.get(app.name, ""))
        if app.name in behind:
            seed["backend"] = behind[app.name]
        found.append(seed)
    return found


def _kernel(tool: Tool, kernel: Kernel) -> SeedKernel:
    found = SeedKernel(
        name=kernel.name,
        display_name=kernel.display_name,
        language=kernel.language,
        argv=kernel.argv,
    )
    if kernel.program:
        text = (tool.folder / "files" / kernel.program).read_text(encoding="utf-8")
        found["programs"] = {kernel.program: text}
    return found


def _files(tool: Tool) -> list[SeedFile]:
    texts = tool.folder / "files"
    return [
        SeedFile(path=one.path, text=(texts / PurePosixPath(one.path).name).read_text("utf-8"))
        for one in tool.files
    ]


def _network(definition: Definition, base: Base) -> SeedNetwork | None:
    return network(base, definition.sources) if definition.network.inherit else None


def _save(machine: Machine, seed: Seed | dict[str, Any]) -> None:
    (machine.folder / SEED).parent.mkdir(mode=0o700, exist_ok=True)
    text = json.dumps(seed, indent=1) + "\n"
    write_whole(machine.folder / SEED, text.encode(), mode=0o600, synced=True)
