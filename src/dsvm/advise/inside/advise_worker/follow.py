"""Follows the live storages of a job that runs with fake tensors.

What comes out is a list of events in the order in which they happen: a storage begins (`[0, id,
bytes]`), ends (`[1, id]`), an operation runs (`[2, number]`), a phase begins (`[3, name]`). What an
operation costs inside of its kernel is not known here: each carries a description (name, arguments,
results) from which the reader works it out.
"""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from advise_worker.kernels import hidden_bytes

BEGIN, END, OPERATION, PHASE = range(4)
SILENT = ("prim.", "profiler.")


class Follower(TorchDispatchMode):
    """One dispatch mode that records storages and operations."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[list[Any]] = []
        self.operations: list[Any] = []
        self.parts: dict[int, str] = {}
        self._numbers: dict[Any, int] = {}
        self._live: dict[int, int] = {}
        self._next = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func)
        if name.startswith(SILENT):
            return func(*args, **(kwargs or {}))
        at = len(self.events)
        result = func(*args, **(kwargs or {}))
        results = [one for one in tree_iter(result) if isinstance(one, torch.Tensor)]
        hidden = hidden_bytes(name, args, results)
        begun = [self._begin(one, hidden.get(place, 0)) for place, one in enumerate(results)]
        if any(begun) or func._schema.is_mutable:
            number = self._number(name, args, kwargs or {}, results)
            self.events.insert(at, [OPERATION, number])
        return result

    def phase(self, name: str) -> None:
        self.events.append([PHASE, name])

    def mark(self, part: str, tensors: Any) -> None:
        """Say what the storages of these tensors are for."""
        for one in tensors:
            number = self._live.get(one.untyped_storage()._cdata)
            if number is not None:
                self.parts[number] = part

    def _begin(self, tensor: torch.Tensor, hidden: int) -> bool:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._live:
            return False
        number, self._next = self._next, self._next + 1
        self._live[key] = number
        self.events.append([BEGIN, number, storage.nbytes() + hidden])
        weakref.finalize(storage, self._end, key, number).atexit = False
        return True

    def _end(self, key: int, number: int) -> None:
        self._live.pop(key, None)
        self.events.append([END, number])

    def _number(self, name: str, args: Any, kwargs: Any, results: Any) -> int:
        told = (name, _told(args), _told(tuple(kwargs.items())), _told(tuple(results)))
        if told not in self._numbers:
            self._numbers[told] = len(self.operations)
            self.operations.append(told)
        return self._numbers[told]


def _told(value: Any) -> Any:
    """A value as plain data: a tensor is `["t", shape, dtype, layout]`."""
    if isinstance(value, torch.Tensor):
        return ("t", tuple(value.shape), str(value.dtype)[6:], _layout(value))
    if isinstance(value, tuple | list):
        return tuple(_told(one) for one in value)
    if isinstance(value, bool | int | float | str) or value is None:
        return value
    return str(value)


def _layout(tensor: torch.Tensor) -> str:
    """`c` contiguous, `l` channels last, `s` any other strides."""
    if tensor.is_contiguous():
        return "c"
    if tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last):
        return "l"
    return "s"
