"""Which files of a lock a build needs, fetched while other parts are already being built."""

from __future__ import annotations

from collections.abc import Iterable

from dsvm.catalog.compose import Composition
from dsvm.home import Home
from dsvm.lock import fetch_all
from dsvm.lock.model import NOTHING_MOUNTED, Lock
from dsvm.progress import Progress


def fetch_system(lock: Lock, composition: Composition, home: Home, progress: Progress) -> None:
    """The OS packages of the machine, its interpreters and the building tools."""
    part = lock.model_copy(update=NOTHING_MOUNTED)
    _fetch(part, composition, home, progress)


def fetch_rest(
    lock: Lock, names: Iterable[str], composition: Composition, home: Home, progress: Progress
) -> None:
    """What the layers of these names need besides OS packages: wheels, npm packages, artifacts."""
    wanted = set(names)
    part = lock.model_copy(
        update={
            "os": lock.os.model_copy(update={"packages": ()}),
            "tools_tree": lock.tools_tree.model_copy(update={"packages": ()}),
            "interpreters": {},
            "driver": None,
            "environments": tuple(
                one for one in lock.environments if f"env-{one.name}-{one.variant}" in wanted
            ),
            "npm": tuple(one for one in lock.npm if f"app-{one.tool}" in wanted),
            "artifacts": tuple(one for one in lock.artifacts if f"app-{one.tool}" in wanted),
            "conda": tuple(one for one in lock.conda if f"env-{one.environment}-cpu" in wanted),
            "cran": tuple(one for one in lock.cran if f"app-{one.tool}" in wanted),
            "hub": tuple(one for one in lock.hub if f"app-{one.tool}" in wanted),
            "debs": tuple(one for one in lock.debs if f"app-{one.tool}" in wanted),
        }
    )
    _fetch(part, composition, home, progress)


def fetch_driver(lock: Lock, composition: Composition, home: Home, progress: Progress) -> None:
    """What compiles the driver's module."""
    nothing = lock.os.model_copy(update={"packages": ()})
    part = lock.model_copy(
        update={**NOTHING_MOUNTED, "os": nothing, "tools_tree": nothing, "interpreters": {}}
    )
    _fetch(part, composition, home, progress)


def _fetch(part: Lock, composition: Composition, home: Home, progress: Progress) -> None:
    sources = [source for plan in composition.environments for source in plan.sources]
    fetch_all(part, home, progress, sources=composition.sources, python_sources=sources)
