"""Times some forty operations: `python calibrate.py ASKED.json RESULT.json`.

They run in turns, round after round, and of each the shortest run counts: a busy computer only
makes runs longer, and is seldom busy at all times. Operations give new results each time, as in
training.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

SHARE_S = 0.15
ROUNDS = 8
LIMIT_S = 75.0
Point = tuple[str, float, Callable[[], Any]]


def main(asked_file: str, result_file: str) -> None:
    torch.manual_seed(0)
    began, known = time.perf_counter(), list(_points())
    call = _shortest(lambda: torch.add(torch.ones(4), 1))
    taken = [float("inf")] * len(known)
    for turn in range(ROUNDS):
        for place, (_, _, run) in enumerate(known):
            if turn and time.perf_counter() - began > LIMIT_S:
                break
            taken[place] = min(taken[place], _shortest(run))
    points = [(kind, amount, best) for (kind, amount, _), best in zip(known, taken, strict=True)]
    result = {
        "points": points, "call": call / 2, "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }  # fmt: skip
    Path(result_file).write_text(json.dumps(result))


def _shortest(run: Callable[[], Any]) -> float:
    run()
    best, began = float("inf"), time.perf_counter()
    while best == float("inf") or time.perf_counter() - began < SHARE_S:
        at = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - at)
    return best


def _points() -> Iterator[Point]:
    yield from _products()
    yield from _convolutions()
    yield from _sequences()
    yield from _memory()


def _products() -> Iterator[Point]:
    for dtype, end in ((torch.float32, ""), (torch.bfloat16, " half")):
        for m, k, n in ((64, 64, 64), (128, 256, 256), (512, 512, 512), (1536, 1536, 1024)):
            a, b = torch.randn(m, k).to(dtype), torch.randn(k, n).to(dtype)
            yield f"gemm{end}", 2 * m * k * n, lambda a=a, b=b: a @ b


def _convolutions() -> Iterator[Point]:
    cases = (
        (torch.float32, "", ((2, 32, 16, 32, 3), (8, 64, 32, 64, 3), (8, 128, 28, 256, 3))),
        (torch.bfloat16, " half", ((2, 32, 16, 32, 3), (8, 64, 32, 64, 3))),
    )
    for dtype, end, shapes in cases:
        for batch, i, side, o, kernel in shapes:
            yield from _convolution("convolution", end, dtype, (batch, i, side, o, kernel, 1))
    yield from _convolution("depthwise", "", torch.float32, (8, 128, 28, 128, 3, 128))


def _convolution(
    kind: str, end: str, dtype: torch.dtype, shape: tuple[int, ...]
) -> Iterator[Point]:
    batch, i, side, o, kernel, groups = shape
    x = torch.randn(batch, i, side, side).to(dtype)
    w = torch.randn(o, i // groups, kernel, kernel).to(dtype)
    y = functional.conv2d(x, w, padding=kernel // 2, groups=groups)
    amount = 2 * batch * side * side * w.numel()
    more = ([1, 1], [kernel // 2] * 2, [1, 1], False, [0, 0], groups)
    yield f"{kind}{end}", amount, lambda: torch.ops.aten.convolution(x, w, None, *more)
    back = torch.ops.aten.convolution_backward
    both = [True, True, False]
    yield f"{kind} backward{end}", 2 * amount, lambda: back(y, x, w, None, *more, both)


def _sequences() -> Iterator[Point]:
    for batch, length in ((4, 64), (8, 256)):
        q = torch.randn(batch, 8, length, 64, requires_grad=True)
        amount = 4 * batch * 8 * length * length * 64
        yield "attention", amount, lambda q=q: functional.scaled_dot_product_attention(q, q, q)
        out = functional.scaled_dot_product_attention(q, q, q)
        back = _backward(out, [q])
        yield "attention backward", amount * 5 // 2, back
    lstm, x = torch.nn.LSTM(256, 256), torch.randn(32, 16, 256)
    amount = 2 * 32 * 16 * 4 * 256 * 512
    yield "rnn", amount, lambda: lstm(x)
    out = lstm(x)[0]
    yield "rnn backward", 2 * amount, _backward(out, list(lstm.parameters()))


def _backward(out: torch.Tensor, leaves: list[torch.Tensor]) -> Callable[[], Any]:
    gradient = torch.ones_like(out)
    return lambda: torch.autograd.grad(out, leaves, gradient, retain_graph=True)


def _memory() -> Iterator[Point]:
    """Bytes are those of all tensors read and written."""
    for count in (10_000, 100_000, 1_000_000, 8_000_000):
        x, y = torch.randn(count), torch.randn(count)
        yield "elementwise", 12 * count, lambda x=x, y=y: x + y
        yield "transcendental", 8 * count, lambda x=x: functional.gelu(x)
    for count in (100_000, 2_000_000):
        rows = torch.randn(count // 100, 100)
        yield "softmax", 8 * count, lambda rows=rows: rows.softmax(-1)
        yield "random", 4 * count, lambda rows=rows: torch.empty_like(rows).bernoulli_(0.5)
        yield "copy", 8 * count, lambda rows=rows: rows.t().contiguous()
        norm = torch.ops.aten.native_layer_norm
        yield "norm", 8 * count, lambda rows=rows, norm=norm: norm(rows, [100], None, None, 1e-5)
        images = torch.randn(8, 16, count // 12800 + 1, 100)
        moved = 4 * images.numel()
        yield "pool", moved * 5 // 4, lambda images=images: functional.avg_pool2d(images, 2)
        leaf = images.clone().requires_grad_()
        normed = functional.batch_norm(leaf, None, None, training=True)
        yield "norm backward", 3 * moved, _backward(normed, [leaf])
        yield "pool backward", moved * 11 // 4, _backward(functional.max_pool2d(leaf, 2), [leaf])
    table, at = torch.randn(20_000, 128), torch.randint(0, 20_000, (8_192,))
    moved = 4 * 128 * (20_000 + 8_192)
    yield "index", moved, lambda: functional.embedding(at, table)
    picked = torch.randn(8_192, 128)
    back = torch.ops.aten.embedding_dense_backward
    yield "scatter", moved, lambda: back(picked, at, 20_000, -1, False)
    yield "integers", 8 * 100_000, lambda: torch.randint(0, 1000, (100_000,))


if __name__ == "__main__":
    main(*sys.argv[1:3])
