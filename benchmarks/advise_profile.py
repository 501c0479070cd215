"""What each operation of a real run holds inside of its kernel, and how long it takes.

Only to develop the tables: it runs in the job's process, after the malloc counter.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


class Profile(TorchDispatchMode):
    """By operation and shapes: peak inside beyond what it gave, what it kept, seconds."""

    def __init__(self, counter: Any) -> None:
        super().__init__()
        self.counter = counter
        self.seen: dict[Any, list[Any]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        from advise_worker.follow import _told  # type: ignore[import-not-found]

        before = self.counter.counter_live()
        self.counter.counter_reset()
        began = time.perf_counter()
        result = func(*args, **(kwargs or {}))
        took = time.perf_counter() - began
        peak, after = self.counter.counter_peak() - before, self.counter.counter_live() - before
        results = [one for one in tree_iter(result) if isinstance(one, torch.Tensor)]
        given = sum(
            {o.untyped_storage()._cdata: o.untyped_storage().nbytes() for o in results}.values()
        )
        told = (str(func), _told(args), _told(tuple((kwargs or {}).items())), _told(tuple(results)))
        self.seen.setdefault(told, []).append((peak, after, given, took))
        return result

    def rows(self) -> list[Any]:
        return [[*told, runs] for told, runs in self.seen.items()]
