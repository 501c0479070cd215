"""Which size fits a job by its upper bound: the cheapest, the fastest, the best for the money."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dsvm.advise.memory import Memory
from dsvm.advise.steptime import scaling
from dsvm.sizes import Size

GPU_START_S = 180.0
"""A machine with a GPU is rented, booted and filled before its first step."""
HOUR_S = 3600.0


@dataclass(frozen=True)
class Fit:
    """A size for a job: whether it fits, seconds of a step (None: not known)."""

    size: Size
    fits: bool
    step: float | None

    @property
    def cost(self) -> float | None:
        """US dollars of a thousand steps."""
        if self.step is None or self.size.price_hour is None:
            return None
        return 1000 * self.step * self.size.price_hour / HOUR_S


@dataclass(frozen=True)
class Choice:
    """All sizes, and the best of those that fit; None where none does, or nothing is known."""

    all: tuple[Fit, ...]
    cheapest: Fit | None
    fastest: Fit | None
    best: Fit | None


def choose(fits: Iterable[Fit]) -> Choice:
    """The cheapest that fits, the fastest, and the one with the lowest cost of a step.

    A size without a price is not the cheapest; of equal prices the larger memory comes first.
    """
    every = tuple(fits)
    fitting = [one for one in every if one.fits]
    priced = [one for one in fitting if one.size.price_hour is not None]
    timed = [one for one in fitting if one.step is not None]
    return Choice(
        every,
        min(priced, key=lambda one: (one.size.price_hour, -one.size.memory), default=None),
        min(timed, key=lambda one: (one.step, one.size.price_hour or 0), default=None),
        min(
            (one for one in timed if one.cost is not None),
            key=lambda one: (one.cost, one.step),
            default=None,
        ),
    )


def on_cpu(sizes: Iterable[Size], memory: Memory, step: float | None, threads: int) -> list[Fit]:
    """Sizes without an accelerator. `step` was expected with `threads` processors."""
    return [
        Fit(
            size,
            size.memory >= memory.machine,
            step / scaling(size.cpus / threads) if step is not None else None,
        )
        for size in sizes
        if not size.accelerator
    ]


def on_gpu(
    sizes: Iterable[Size], memory: Memory, step_on: Callable[[str], float | None]
) -> list[Fit]:
    """Sizes with an accelerator of which one is used; a part of one has a part of its memory."""
    found = []
    for size in sizes:
        if not size.accelerator:
            continue
        whole = size.accelerator_memory or 0
        room = int(whole * min(1, size.accelerator_count))
        fits = room >= memory.process_upper and size.memory >= memory.machine
        found.append(Fit(size, fits, step_on(size.accelerator)))
    return found


def crossing(cpu: Fit | None, gpu: Fit | None) -> float | None:
    """Seconds of work on the CPU from which the GPU is done earlier, its start-up counted.

    None where it never is, or nothing is known.
    """
    if cpu is None or gpu is None or cpu.step is None or gpu.step is None or gpu.step >= cpu.step:
        return None
    return cpu.step * GPU_START_S / (cpu.step - gpu.step)
