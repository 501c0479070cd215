"""Times some hundred and fifty operations: `python calibrate.py ASKED.json RESULT.json`.

They run in turns, round after round, and of each the round with the shortest median counts: a busy
computer only makes runs longer, and is seldom busy at all times. Results are small enough that the
C library gives the same memory again; what memory costs that is new to the process is timed by
itself.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parent.parent))
from advise_worker.follow import Follower

SHARE_S = 0.1
ROUNDS = 8
LIMIT_S = 75.0
COLD_FROM_S = 5e-5
FRESH = 64 * 1024**2
HALF = torch.bfloat16
Run = Callable[[], Any]
aten = torch.ops.aten


def main(asked_file: str, result_file: str) -> None:
    torch.manual_seed(0)
    began, known = time.perf_counter(), list(_points())
    told = [_operations(run) for run in known]
    train, count = _small_steps()
    runs = [*known, lambda: torch.neg(_TINY), train, _fresh, _again]
    taken = [float("inf")] * len(runs)
    for turn in range(ROUNDS):
        for place, run in enumerate(runs):
            if turn and time.perf_counter() - began > LIMIT_S:
                break
            taken[place] = min(taken[place], _usual(run))
    *best, bare, step, fresh, again = taken
    result = {
        "points": list(zip(told, best, strict=True)),
        "bare": bare,
        "call": step / count,
        "fresh": (fresh - again) / FRESH,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    Path(result_file).write_text(json.dumps(result))


def _operations(run: Run) -> list[Any]:
    """What one run calls, told as a trace tells it."""
    run()
    with Follower() as follower:
        run()
    return follower.operations


def _usual(run: Run) -> float:
    """The median of a tenth of a second, three runs at least.

    Between long runs the caches are filled with something else, as the rest of a step does.
    """
    run()
    cold = _timed(run) > COLD_FROM_S
    taken, began = [], time.perf_counter()
    while len(taken) < 3 or time.perf_counter() - began < SHARE_S:
        if cold:
            _again()
        taken.append(_timed(run))
    return statistics.median(taken)


def _timed(run: Run) -> float:
    at = time.perf_counter()
    run()
    return time.perf_counter() - at


_TINY = torch.ones(4)


def _small_steps() -> tuple[Run, int]:
    """A step of training so small that only calls cost something, and how many it makes."""
    body = [one for _ in range(12) for one in (nn.Linear(8, 8), nn.LayerNorm(8), nn.Tanh())]
    model = nn.Sequential(*body)
    optimizer = torch.optim.Adam(model.parameters(), foreach=False)
    x = torch.randn(4, 8)

    def step() -> None:
        model(x).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    for _ in range(3):
        step()
    with Follower() as follower:
        step()
    return step, sum(event[0] == 2 for event in follower.events)


def _fresh() -> None:
    torch.empty(FRESH, dtype=torch.uint8).fill_(1)


_WARM = torch.empty(FRESH, dtype=torch.uint8)


def _again() -> None:
    _WARM.fill_(1)


def _points() -> Iterator[Run]:
    yield from _products()
    yield from _convolutions()
    yield from _sequences()
    yield from _elements()
    yield from _rows()
    yield from _images()
    yield from _tables()


def _products() -> Iterator[Run]:
    shapes = ((64, 64, 64), (128, 256, 256), (512, 512, 512), (2048, 512, 2048), (4096, 32, 1024))
    for dtype in (torch.float32, HALF):
        for m, k, n in shapes:
            a, b = torch.randn(m, k).to(dtype), torch.randn(k, n).to(dtype)
            yield lambda a=a, b=b: aten.mm(a, b)
    a, b = torch.randn(96, 128, 64), torch.randn(96, 64, 128)
    yield lambda: aten.bmm(a, b)


def _convolutions() -> Iterator[Run]:
    """Batch, channels, side, channels, kernel, groups, stride, dilation."""
    shapes = (
        *((2, 32, 16, 32, 3, 1, 1, 1), (8, 64, 32, 64, 3, 1, 1, 1), (8, 128, 28, 256, 3, 1, 1, 1)),
        *((8, 32, 80, 64, 1, 1, 1, 1), (8, 32, 64, 1, 3, 1, 1, 1), (8, 64, 32, 64, 3, 1, 1, 4)),
        *((8, 128, 28, 128, 3, 16, 1, 1), (8, 64, 80, 64, 3, 16, 1, 1)),
        *((2, 32, 28, 32, 3, 32, 1, 1), (8, 64, 80, 64, 3, 64, 1, 1)),
        *((8, 128, 28, 128, 3, 128, 2, 1), (8, 96, 32, 96, 5, 96, 1, 1)),
    )
    for dtype in (torch.float32, HALF):
        for shape in shapes:
            yield from _convolution(dtype, *shape)


def _convolution(dtype: torch.dtype, *shape: int) -> Iterator[Run]:
    batch, i, side, o, kernel, groups, stride, dilation = shape
    x = torch.randn(batch, i, side, side).to(dtype)
    w = torch.randn(o, i // groups, kernel, kernel).to(dtype)
    around = dilation * (kernel // 2)
    more = ([stride] * 2, [around] * 2, [dilation] * 2, False, [0, 0], groups)
    y = aten.convolution(x, w, None, *more)
    both = [True, True, False]
    yield lambda: aten.convolution(x, w, None, *more)
    yield lambda: aten.convolution_backward(y, x, w, None, *more, both)


def _sequences() -> Iterator[Run]:
    for dtype in (torch.float32, HALF):
        for batch, length in ((4, 64), (8, 256)):
            made = torch.randn(3, batch, 8, length, 64).to(dtype)
            given = [one.requires_grad_() for one in made]
            attend = functional.scaled_dot_product_attention
            yield lambda given=given, attend=attend: attend(*given)
            yield _backward(attend(*given), given)
        for batch, length, width in ((32, 16, 256), (32, 64, 512)):
            lstm = nn.LSTM(width, width).to(dtype)
            x = torch.randn(length, batch, width).to(dtype)
            yield lambda lstm=lstm, x=x: lstm(x)
            yield _backward(lstm(x)[0], list(lstm.parameters()))


def _backward(out: torch.Tensor, leaves: list[torch.Tensor]) -> Run:
    gradient = torch.ones_like(out)
    return lambda: torch.autograd.grad(out, leaves, gradient, retain_graph=True)


def _elements() -> Iterator[Run]:
    for count in (10_000, 100_000, 1_000_000, 8_000_000):
        x, y = torch.randn(count), torch.randn(count)
        yield lambda x=x, y=y: aten.add(x, y)
        yield lambda x=x: aten.gelu(x)
    for count in (100_000, 8_000_000):
        x, y = torch.randn(count).to(HALF), torch.randn(count).to(HALF)
        yield lambda x=x, y=y: aten.add(x, y)
        yield lambda x=x: aten.gelu(x)
    for count in (100_000, 2_000_000):
        x = torch.empty(count)
        yield lambda x=x: aten.bernoulli_(x, 0.9)
        yield lambda count=count: aten.randn([count])
        heads = torch.randn(4, count // 2000, 8, 64)[..., :62].transpose(1, 2)
        yield lambda heads=heads: aten.clone(heads, memory_format=torch.contiguous_format)
        yield lambda x=x: aten._to_copy(x, dtype=HALF)
        yield lambda count=count: aten.randint(0, 1000, [count])


def _rows() -> Iterator[Run]:
    for dtype in (torch.float32, HALF):
        for count, width in ((1_000, 100), (20_000, 100), (800, 10_000)):
            x = torch.randn(count, width).to(dtype)
            y = aten._log_softmax(x, 1, False)
            yield lambda x=x: aten._log_softmax(x, 1, False)
            yield lambda x=x, y=y, d=dtype: aten._log_softmax_backward_data(x, y, 1, d)
        for count in (500, 8_000):
            x, w = torch.randn(count, 512).to(dtype), torch.ones(512).to(dtype)
            _, mean, scale = aten.native_layer_norm(x, [512], w, w, 1e-5)
            given = (x, x, [512], mean, scale, w, w, [True, True, True])
            yield lambda x=x, w=w: aten.native_layer_norm(x, [512], w, w, 1e-5)
            yield lambda given=given: aten.native_layer_norm_backward(*given)
            yield lambda x=x: aten.sum(x, [0])


def _images() -> Iterator[Run]:
    for dtype in (torch.float32, HALF):
        for side in (12, 80):
            x = torch.randn(8, 64, side, side).to(dtype)
            w, mean, spread = torch.ones(64), torch.zeros(64), torch.ones(64)
            norm = (w, w, mean, spread, True, 0.1, 1e-5)
            _, at, scale = aten.native_batch_norm(x, *norm)
            back = (w, mean, spread, at, scale, True, 1e-5, [True, True, True])
            yield lambda x=x, norm=norm: aten.native_batch_norm(x, *norm)
            yield lambda x=x, back=back: aten.native_batch_norm_backward(x, x, *back)
            pooled, which = aten.max_pool2d_with_indices(x, [2, 2])
            window = ([2, 2], [2, 2], [0, 0], [1, 1], False)
            known = (pooled, x, *window, which)
            yield lambda x=x: aten.max_pool2d_with_indices(x, [2, 2])
            yield lambda x=x: aten.max_pool2d_with_indices(x, [3, 3], [1, 1], [1, 1])
            yield lambda known=known: aten.max_pool2d_with_indices_backward(*known)
            yield lambda x=x: aten.avg_pool2d(x, [2, 2])


def _tables() -> Iterator[Run]:
    table, at = torch.randn(20_000, 128), torch.randint(0, 20_000, (8_192,))
    picked = torch.randn(8_192, 128)
    yield lambda: aten.embedding(table, at)
    yield lambda: aten.embedding_dense_backward(picked, at, 20_000, -1, False)
    scores, labels = torch.randn(8_192, 500), torch.randint(0, 500, (8_192,))
    loss, weight = aten.nll_loss_forward(scores, labels, None, 1, -100)
    yield lambda: aten.nll_loss_backward(loss, scores, labels, None, 1, -100, weight)


if __name__ == "__main__":
    main(*sys.argv[1:3])
