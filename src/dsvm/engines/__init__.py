"""Engines run machines. They are found by looking in this folder: there is no list to edit."""

from __future__ import annotations

import importlib
import pkgutil

from dsvm.engines.base import Engine, Unusable, Usable
from dsvm.errors import DsvmError, UsageError
from dsvm.home import Home

AUTO = "auto"
WITHOUT_GPU = 50
"""Added to the rank of an engine that cannot give the GPU that is asked for."""


def all_engines(home: Home | None = None) -> tuple[Engine, ...]:
    """Every engine, in the order in which `auto` tries them."""
    place = home or Home.default()
    modules = (importlib.import_module(f"{__name__}.{found.name}") for found in _modules())
    engines = [module.ENGINE(place) for module in modules if hasattr(module, "ENGINE")]
    return tuple(sorted(engines, key=lambda engine: (engine.rank, engine.name)))


def engine_named(name: str, home: Home | None = None) -> Engine:
    """The engine of that name, not probed. Raises `UsageError` when there is none."""
    engines = all_engines(home)
    for engine in engines:
        if engine.name == name:
            return engine
    names = ", ".join((AUTO, *(engine.name for engine in engines)))
    raise UsageError(f"unknown engine `{name}`", remedy=f"the engines are: {names}")


def choose(
    name: str = AUTO,
    home: Home | None = None,
    *,
    folders: bool = False,
    devices: tuple[str, ...] = (),
    gpu: bool = False,
) -> tuple[Engine, Usable]:
    """The best engine that works here, or the named one.

    With `folders` only engines count that show folders of the host in a machine, with `devices`
    those that can give it these; with `gpu` those are better that can give it some GPU.
    Raises `DsvmError` with the reason of each engine when none works.
    """
    tried = all_engines(home) if name == AUTO else (engine_named(name, home),)
    best: tuple[int, Engine, Usable] | None = None
    refusals: list[tuple[str, Unusable]] = []
    for engine in tried:
        if best and best[0] <= engine.rank:
            break  # the next ones are no better
        answer = engine.probe()
        if isinstance(answer, Usable) and folders:
            answer = engine.folders() or answer
        if isinstance(answer, Usable) and devices:
            answer = engine.gives(devices) or answer
        if isinstance(answer, Unusable):
            refusals.append((engine.name, answer))
            continue
        rank = engine.rank if answer.rank is None else answer.rank
        if gpu and engine.gives(()):
            rank += WITHOUT_GPU
        if best is None or rank < best[0]:
            best = (rank, engine, answer)
    if best:
        return best[1], best[2]
    raise DsvmError(
        "no engine can run a machine on this host"
        if name == AUTO
        else f"engine `{name}` cannot run a machine on this host",
        cause="\n".join(f"{engine}: {refusal.reason}" for engine, refusal in refusals),
        remedy=next((refusal.remedy for _, refusal in refusals if refusal.remedy), None),
    )


def _modules() -> list[pkgutil.ModuleInfo]:
    return [found for found in pkgutil.iter_modules(__path__) if found.name != "base"]
