"""Makes the host ready for the engine that will run a machine."""

from __future__ import annotations

import os
from collections.abc import Callable

from dsvm.engines import AUTO, all_engines, engine_named
from dsvm.engines.base import Engine
from dsvm.home import Home
from dsvm.host.packages import ensure, missing, needs
from dsvm.progress import Progress


def prepare(
    engine: str, home: Home, progress: Progress, *, agree: Callable[[str], bool]
) -> list[str]:
    """Install what the build and the chosen engine lack; return the packages installed.

    `auto` means the first engine whose programs are all there, else the first of all. Costs a few
    milliseconds when nothing is missing. Raises `DsvmError` (see `ensure`), `UsageError` for an
    unknown engine.
    """
    root = os.geteuid() == 0
    tried = all_engines(home) if engine == AUTO else (engine_named(engine, home),)
    chosen: Engine | None = next((e for e in tried if not missing(needs(e, root=root))), None)
    if chosen is None:
        chosen = tried[0] if tried else None
    return ensure(needs(chosen, root=root), home, progress, agree=agree)
