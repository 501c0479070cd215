"""Memory of a job on an NVIDIA GPU, from its trace with tensors of the CPU.

PyTorch's caching allocator is simulated: sizes rounded to 512 bytes, segments of 2 MiB for blocks
up to 1 MiB, of 20 MiB below 10 MiB, else in steps of 2 MiB; free blocks are split and merged,
segments are kept. Source: `c10/cuda/CUDACachingAllocator.cpp` (kSmallBuffer,
kLargeBuffer, kMinLargeAlloc).

Around it: cuBLAS's workspace, cuDNN's, and the context, which no allocator shows.
"""

from __future__ import annotations

from dataclasses import dataclass

from dsvm.advise.ranges import FreeRanges
from dsvm.advise.trace import Operation

MIB = 1024**2
ROUND = 512
SMALL, SMALL_SEGMENT = MIB, 2 * MIB
LARGE, LARGE_SEGMENT, LARGE_STEP = 10 * MIB, 20 * MIB, 2 * MIB
SPLIT_LARGE = MIB
"""A large block is split when more than this is left, a small one when 512 bytes are."""
CONTEXT = 500 * MIB
CUBLAS = 32 * MIB
"""On Hopper; about 8 MiB elsewhere. Source: `aten/src/ATen/cuda/CublasHandlePool.cpp`."""
PRODUCTS = ("mm", "addmm", "bmm", "baddbmm")


class CachingAllocator:
    """What is allocated and what is reserved, in bytes; peaks of both."""

    def __init__(self) -> None:
        self.allocated = self.reserved = self.peak_allocated = self.peak_reserved = 0
        self._pools = (_Pool(), _Pool())
        self._blocks: dict[int, tuple[int, int, int]] = {}

    def begin(self, number: int, size: int) -> None:
        """A block of `size` bytes."""
        if size <= 0:
            return
        need = -(-size // ROUND) * ROUND
        kind = 0 if need <= SMALL else 1
        pool = self._pools[kind]
        address = pool.take(need, ROUND if kind == 0 else SPLIT_LARGE)
        if address is None:
            segment = _segment(need)
            self.reserved += segment
            self.peak_reserved = max(self.peak_reserved, self.reserved)
            pool.add(segment)
            address = pool.take(need, ROUND if kind == 0 else SPLIT_LARGE)
        assert address is not None
        self._blocks[number] = (kind, *address)
        self.allocated += address[1]
        self.peak_allocated = max(self.peak_allocated, self.allocated)

    def end(self, number: int) -> None:
        """The block is free again, and stays reserved."""
        if number in self._blocks:
            kind, start, size = self._blocks.pop(number)
            self.allocated -= size
            self._pools[kind].give(start, size)


def _segment(need: int) -> int:
    if need <= SMALL:
        return SMALL_SEGMENT
    if need < LARGE:
        return LARGE_SEGMENT
    return -(-need // LARGE_STEP) * LARGE_STEP


class _Pool:
    """Free blocks, best fit; blocks of different segments never merge."""

    def __init__(self) -> None:
        self._free = FreeRanges()
        self._next = 0

    def add(self, segment: int) -> None:
        self._free.add(self._next, segment)
        self._next += segment + 1  # a gap, so that no block reaches into the next segment

    def take(self, need: int, split: int) -> tuple[int, int] | None:
        found = self._free.take(need)
        if found is None:
            return None
        start, size = found
        if size - need >= split:
            self._free.add(start + need, size - need)
            return start, need
        return start, size

    def give(self, start: int, size: int) -> None:
        self._free.add(*self._free.merged(start, size))


@dataclass
class CudaKernels:
    """Scratch and what libraries keep on a GPU."""

    multiplied: bool = False

    def scratch(self, operation: Operation) -> int:
        """cuDNN chooses algorithms that need about as much as what they read."""
        if operation.name.startswith("convolution"):
            return operation.tensors[0].bytes
        return 0

    def written(self, operation: Operation) -> float:
        """A GPU has no memory that is only promised."""
        return 1.0

    def more(self, operation: Operation) -> int:
        """cuBLAS takes its workspace at the first product, and keeps it."""
        if self.multiplied or operation.name not in PRODUCTS:
            return 0
        self.multiplied = True
        return CUBLAS
