"""How long each step of a piece of work took, told to whoever asked around it.

The steps of one thread; what a step starts in other threads counts as long as it waits for them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_taken: ContextVar[dict[str, float] | None] = ContextVar("steps taken", default=None)


@contextmanager
def steps() -> Iterator[dict[str, float]]:
    """Seconds by name, filled by each `step` inside that this thread runs."""
    taken: dict[str, float] = {}
    token = _taken.set(taken)
    try:
        yield taken
    finally:
        _taken.reset(token)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Add the block's wall-clock seconds to `name`, if somebody asked; also when it fails."""
    began = time.monotonic()
    try:
        yield
    finally:
        if (taken := _taken.get()) is not None:
            taken[name] = round(taken.get(name, 0.0) + time.monotonic() - began, 2)
