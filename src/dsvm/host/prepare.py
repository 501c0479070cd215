"""Makes the host ready for the engine that will run a machine."""

from __future__ import annotations

import os
from collections.abc import Callable

from dsvm import namespaces
from dsvm.engines import AUTO, all_engines, engine_named
from dsvm.engines.base import Engine, Usable
from dsvm.home import Home
from dsvm.host.packages import ensure, missing, needs
from dsvm.progress import Progress


def prepare(
    engine: str, home: Home, progress: Progress, *, agree: Callable[[str], bool]
) -> list[str]:
    """Install what the build and the chosen engine lack; return the packages installed.

    `auto` takes an engine that is at its best here, of those whose programs are all there; else it
    installs nspawn for root and qemu for others. Costs a few milliseconds when nothing is missing.
    Raises `DsvmError` (see `ensure`, and `namespaces.require`), `UsageError` for an unknown engine.
    """
    root = os.geteuid() == 0
    chosen = _for_auto(home, root=root) if engine == AUTO else engine_named(engine, home)
    installed = ensure(needs(chosen, root=root), home, progress, agree=agree)
    namespaces.require()
    return installed


def _for_auto(home: Home, *, root: bool) -> Engine:
    """Only running virtual CPUs tells whether QEMU is worth its packages, and for that they must be
    there: so it is taken where somebody has installed it, never installed on trial."""
    possible = [engine for engine in all_engines(home) if root or not engine.needs_root]
    for engine in possible:
        if missing(needs(engine, root=root)):
            continue
        answer = engine.probe()
        if isinstance(answer, Usable) and answer.rank in (None, engine.rank):
            return engine
    return next(engine for engine in possible if engine.needs_root == root)
