"""Bytes that kernels hand out and fake ones do not: the workspaces of recurrent layers."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

SHORT, LONGER = 4, 8


def hidden_bytes(name: str, args: Any, results: Any) -> dict[int, int]:
    """Bytes to add to the storage of each result, by its place."""
    trains = bool(args) and args[-1] is True
    if name == "aten.mkldnn_rnn_layer.default" and trains and len(results) == 4:
        source, hidden = args[0], results[1]
        return {3: _rnn_workspace(tuple(source.shape), hidden.shape[-1], source.dtype)}
    return {}


@cache
def _rnn_workspace(shape: tuple[int, ...], hidden: int, dtype: torch.dtype) -> int:
    """What oneDNN keeps of one LSTM layer for its backward pass, in bytes.

    Its layout differs from version to version and processor to processor, but grows evenly with the
    number of steps: so the kernel itself is asked, with two short sequences.
    """
    steps, batch, width = shape
    with _disable_current_modes(), torch.enable_grad():
        short, longer = (_measured(n, batch, width, hidden, dtype) for n in (SHORT, LONGER))
    return short + (longer - short) * (steps - SHORT) // (LONGER - SHORT)


def _measured(steps: int, batch: int, width: int, hidden: int, dtype: torch.dtype) -> int:
    weights = [(4 * hidden, width), (4 * hidden, hidden), (4 * hidden,), (4 * hidden,)]
    states = [(batch, hidden), (batch, hidden)]
    result = torch.ops.aten.mkldnn_rnn_layer(
        torch.zeros(steps, batch, width, dtype=dtype),
        *(torch.zeros(size, dtype=dtype, requires_grad=True) for size in (*weights, *states)),
        *(False, [], 2, hidden, 1, True, False, True, True),
    )
    return int(result[3].numel())
