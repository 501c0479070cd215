"""The caching allocator of PyTorch, simulated."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dsvm.advise.cuda import CUBLAS, MIB, CachingAllocator, CudaKernels
from dsvm.advise.trace import Operation, Tensor


def test_sizes_are_rounded_to_512_bytes() -> None:
    allocator = CachingAllocator()
    allocator.begin(0, 1)
    allocator.begin(1, 513)

    assert allocator.peak_allocated == 512 + 1024
    assert allocator.peak_reserved == 2 * MIB


def test_segments_grow_with_their_blocks() -> None:
    reserved = []
    for size in (MIB, 2 * MIB, 11 * MIB):
        allocator = CachingAllocator()
        allocator.begin(0, size)
        reserved.append(allocator.peak_reserved)

    assert reserved == [2 * MIB, 20 * MIB, 12 * MIB]


def test_a_free_block_is_taken_again() -> None:
    allocator = CachingAllocator()
    for number in range(5):
        allocator.begin(number, 30 * MIB)
        allocator.end(number)

    assert allocator.peak_reserved == 30 * MIB


def test_neighbours_merge_within_a_segment() -> None:
    allocator = CachingAllocator()
    for number in range(2):
        allocator.begin(number, 8 * MIB)
    for number in range(2):
        allocator.end(number)
    allocator.begin(2, 9 * MIB)

    assert allocator.peak_reserved == 20 * MIB


@given(st.lists(st.tuples(st.integers(1, 64 * MIB), st.integers(0, 20)), min_size=1, max_size=60))
def test_reserved_holds_all_that_is_allocated(steps: list[tuple[int, int]]) -> None:
    allocator = CachingAllocator()
    for number, (size, freed) in enumerate(steps):
        allocator.begin(number, size)
        allocator.end(freed)
        assert allocator.reserved >= allocator.allocated


def test_cublas_takes_its_workspace_once() -> None:
    kernels, matrix = CudaKernels(), Tensor((4, 4), "float32", "c")
    product = Operation("mm", (matrix, matrix), {}, (matrix,))

    assert [kernels.more(product) for _ in range(2)] == [CUBLAS, 0]
