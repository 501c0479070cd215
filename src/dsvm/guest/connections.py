"""Keeps the tasks of open connections, which asyncio itself may forget.

A client that has said all it has to say is no longer listened to, so the loop holds nothing of its
connection: https://docs.python.org/3/library/asyncio-task.html#asyncio.create_task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Connections:
    """The tasks that serve one; false where there is none."""

    def __init__(self) -> None:
        self._tasks = set[asyncio.Task[object]]()

    def __bool__(self) -> bool:
        return bool(self._tasks)

    @contextmanager
    def one(self) -> Iterator[None]:
        """The running task serves a connection until the block ends."""
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.remove(task)
