"""Tells how far a program is that does not tell it itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from dsvm.progress import Step

_EVERY_S = 0.5


@contextmanager
def watching(step: Step, measure: Callable[[], int]) -> Iterator[None]:
    """Advance `step` by what `measure` grows, for as long as the block runs.

    `measure` looks at files that come and go: an OSError or a smaller value counts as no growth.
    """
    stop = Event()

    def look() -> None:
        seen = 0
        while not stop.wait(_EVERY_S):
            try:
                now = measure()
            except OSError:
                continue
            if now > seen:
                step.advance(now - seen)
                seen = now

    thread = Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
