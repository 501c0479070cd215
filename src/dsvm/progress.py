"""How long work tells its progress, without knowing who shows it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class Step(Protocol):
    """One piece of work. Safe to call from several threads."""

    def advance(self, amount: int) -> None:
        """`amount` more bytes (or items) are done."""
        ...

    def say(self, text: str) -> None:
        """What is being done just now, a few words."""
        ...


class Progress(Protocol):
    """Shows steps; several may be open at once."""

    def step(self, name: str, total: int | None = None, unit: str = "bytes") -> StepContext: ...

    def note(self, text: str) -> None:
        """One line a person should read (on stderr)."""
        ...


class StepContext(Protocol):
    def __enter__(self) -> Step: ...

    def __exit__(self, *exc: Any) -> bool | None: ...


class _Quiet:
    def advance(self, amount: int) -> None: ...

    def say(self, text: str) -> None: ...


class Silent:
    """Shows nothing."""

    @contextmanager
    def step(self, name: str, total: int | None = None, unit: str = "bytes") -> Iterator[Step]:
        yield _Quiet()

    def note(self, text: str) -> None: ...
