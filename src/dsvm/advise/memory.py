"""Memory over the steps of a job, by part, from its trace.

Three figures are kept apart: what the allocator holds, what the process holds (on a CPU its
resident memory above that after its imports), and what the machine must have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from dsvm.advise.cuda import CONTEXT, CachingAllocator, CudaKernels
from dsvm.advise.heap import Heap
from dsvm.advise.kernels import CpuKernels
from dsvm.advise.trace import BEGIN, END, OPERATION, PHASE, Trace

PARTS = ("parameters", "gradients", "optimizer", "activations", "scratch", "runtime")
MIB = 1024**2
SYSTEM = 600 * MIB
"""The system, SSH and JupyterLab of a machine that idles, rounded up (measured: `starter`)."""
POINTS = 400
REPLAYED = 3
AGAIN = 1 << 40
GIB = 1024**3
CUDA_FACTOR = 1.1
CUDA_CONTEXT_MOST = 800 * MIB


@dataclass(frozen=True)
class Runtime:
    """What torch itself takes when a job begins: modules it imports late, in bytes.

    `heap` by malloc, `resident` in all, `imported` before anything ran. Measured in the environment
    itself.
    """

    heap: int = 0
    resident: int = 0
    imported: int = 0


@dataclass(frozen=True)
class Point:
    """Memory at one moment: the phase, and bytes by part."""

    phase: str
    parts: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.parts.values())


@dataclass(frozen=True)
class Memory:
    """Bytes: the allocator's peak with its parts, the process's peak, the machine's need.

    `imported` is what the process holds after its imports. `late_pages` are those of the process
    that no allocation explains; `fresh` what every step takes from the kernel and gives back.
    """

    expected: int
    upper: int
    parts: dict[str, int]
    process_expected: int
    process_upper: int
    machine: int
    imported: int = 0
    curve: list[Point] = field(default_factory=list)
    late_pages: int = 0
    fresh: int = 0


def cpu_memory(trace: Trace, runtime: Runtime, bounds: Bounds) -> Memory:
    """What the job takes on this host's kind of CPU."""
    inference = trace.inference
    heap = Heap(pinned=bounds.pinned_inference if inference else bounds.pinned_training)
    peak, curve = _followed(trace, CpuKernels(), runtime.heap)
    _simulate(trace, CpuKernels(), heap)
    resident = heap.peak + runtime.resident
    process_upper = bounds.process(max(resident, peak.total), inference=inference)
    return Memory(
        expected=peak.total,
        upper=bounds.allocator(peak.total),
        parts={**dict.fromkeys(PARTS, 0), **peak.parts},
        process_expected=max(peak.total, bounds.typical(resident, inference=inference)),
        process_upper=process_upper,
        machine=process_upper + runtime.imported + SYSTEM,
        imported=runtime.imported,
        curve=_thinned(curve),
        late_pages=runtime.resident,
        fresh=_fresh(trace),
    )


def cuda_memory(trace: Trace, runtime: Runtime) -> Memory:
    """What the job takes on a GPU: `process` is there what is reserved, with the context.

    `machine` is the memory of the machine around it. Not tested on a GPU.
    """
    allocator = CachingAllocator()
    peak, curve = _followed(trace, CudaKernels(), 0)
    _simulate(trace, CudaKernels(), allocator)
    expected = max(peak.total, allocator.peak_allocated)
    reserved = allocator.peak_reserved + CONTEXT
    return Memory(
        expected=expected,
        upper=int(expected * CUDA_FACTOR),
        parts={**dict.fromkeys(PARTS, 0), **peak.parts},
        process_expected=reserved,
        process_upper=int(allocator.peak_reserved * CUDA_FACTOR) + CUDA_CONTEXT_MOST,
        machine=SYSTEM + 3 * runtime.imported + 2 * GIB,
        imported=runtime.imported,
        curve=_thinned(curve),
    )


def _followed(
    trace: Trace, kernels: CpuKernels | CudaKernels, runtime: int
) -> tuple[Point, list[Point]]:
    """The moment at which most is live, and all moments."""
    live, curve, peak = Live(trace.parts), [], Point("build", {})
    live.begin(-1, runtime, "runtime")
    for phase, part, number, size, _ in steps(trace, kernels):
        if size < 0:
            live.end(number)
            continue
        live.begin(number, size, part)
        curve.append(Point(phase, live.now()))
        if live.total > peak.total:
            peak = curve[-1]
    return peak, curve


def _simulate(
    trace: Trace, kernels: CpuKernels | CudaKernels, allocator: Heap | CachingAllocator
) -> None:
    """The allocator meets the whole trace, then its last step again."""
    for _, _, number, size, touched in steps(trace, kernels):
        if size < 0:
            allocator.end(number)
        else:
            allocator.begin(number, touched)
    for _ in range(REPLAYED):
        _replay(trace, kernels, allocator)


def _fresh(trace: Trace) -> int:
    """Bytes that each step takes from the kernel anew, having given them back.

    Small objects that keep ranges apart make the heap larger, but change this little: it is that of
    a heap without them.
    """
    heap, kernels = Heap(pinned=0), CpuKernels()
    _simulate(trace, kernels, heap)
    before = heap.fresh
    _replay(trace, kernels, heap)
    return heap.fresh - before


def _replay(trace: Trace, kernels: CpuKernels | CudaKernels, heap: Heap | CachingAllocator) -> None:
    """The last step once more: an allocator needs some steps until it grows no more.

    What the step before left to it is left to the next one in the same way.
    """
    began = max((at for at, e in enumerate(trace.events) if e == (PHASE, "batch")), default=0)
    alone = replace(trace, events=trace.events[began:])
    inside: set[int] = set()
    for _, _, number, size, touched in steps(alone, kernels):
        if size < 0:
            heap.end(number + AGAIN if number in inside else number)
            inside.discard(number)
        elif size > 0:
            heap.end(number + AGAIN)
            heap.begin(number + AGAIN, touched)
            inside.add(number)
    for number in inside:
        heap.end(number)


@dataclass(frozen=True)
class Bounds:
    """How far from the simulation the truth was on the development models.

    Small objects that no trace tells stay between the blocks of the heap: one after so many blocks
    (`pinned`) made the truth least scattered. Then a process took `typical` of the simulated one at
    the median, and at most `factor` of it and `more`. An inference has fewer such objects, and is
    smaller, so that what is not simulated weighs more.
    """

    allocator_factor: float = 1.04
    allocator_more: int = 20 * MIB
    pinned_training: int = 7
    pinned_inference: int = 14
    typical_training: float = 0.93
    typical_inference: float = 0.95
    factor_training: float = 1.1
    factor_inference: float = 1.12
    more_inference: int = 30 * MIB

    def allocator(self, expected: int) -> int:
        return int(expected * self.allocator_factor) + self.allocator_more

    def typical(self, resident: int, *, inference: bool) -> int:
        return int(resident * (self.typical_inference if inference else self.typical_training))

    def process(self, resident: int, *, inference: bool) -> int:
        if inference:
            return int(resident * self.factor_inference) + self.more_inference
        return int(resident * self.factor_training)


class Live:
    """What lives now, by part."""

    def __init__(self, parts: dict[int, str]) -> None:
        self.parts = parts
        self.total = 0
        self._by_part = dict.fromkeys(PARTS, 0)
        self._of: dict[int, tuple[str, int]] = {}

    def begin(self, number: int, size: int, part: str) -> None:
        part = part or self.parts.get(number, "activations")
        self._of[number] = (part, size)
        self._by_part[part] += size
        self.total += size

    def end(self, number: int) -> None:
        part, size = self._of.pop(number)
        self._by_part[part] -= size
        self.total -= size

    def now(self) -> dict[str, int]:
        return dict(self._by_part)


def steps(
    trace: Trace, kernels: CpuKernels | CudaKernels
) -> Iterator[tuple[str, str, int, int, int]]:
    """What begins and ends, in order: phase, part if known, number, bytes (-1: it ends), and of
    these bytes those that are written.

    Scratch of an operation lives beside its results, what libraries keep from its first call on.
    """
    phase, inside, written, number = "build", 0, 0, -1
    for event in (*trace.events, (PHASE, "")):
        if event[0] != BEGIN and inside:
            number -= 1
            yield phase, "scratch", number, inside, written
            yield phase, "scratch", number, -1, 0
            inside = 0
        if event[0] == PHASE:
            phase = event[1]
        elif event[0] == OPERATION:
            operation = trace.operations[event[1]]
            inside = kernels.scratch(operation)
            written = int(inside * kernels.written(operation))
            if more := kernels.more(operation):
                number -= 1
                yield phase, "runtime", number, more, more
        elif event[0] == BEGIN:
            yield phase, "", event[1], event[2], event[2]
        elif event[0] == END:
            yield phase, "", event[1], -1, 0


def _thinned(curve: list[Point]) -> list[Point]:
    """The curve with fewer points: of each run of points the highest."""
    every = max(1, len(curve) // POINTS)
    groups = [curve[at : at + every] for at in range(0, len(curve), every)]
    return [max(group, key=lambda one: one.total) for group in groups]
