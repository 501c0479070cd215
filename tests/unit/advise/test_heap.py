"""What glibc's malloc keeps resident."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dsvm.advise.heap import MIB, Heap

PAGE = 4096


def test_a_large_block_is_given_back() -> None:
    heap = Heap()
    for number in range(3):
        heap.begin(number, 64 * MIB)
        heap.end(number)

    assert 64 * MIB <= heap.peak <= 64 * MIB + 2 * PAGE


def test_a_hole_is_kept_below_what_lives() -> None:
    """The first freed block raises the threshold; from then on blocks of its size stay."""
    heap = Heap()
    heap.begin(0, 8 * MIB)
    heap.end(0)
    for number in (1, 2):
        heap.begin(number, 8 * MIB)
    heap.end(1)
    heap.begin(3, 9 * MIB)  # larger than the hole, and than the threshold

    assert heap.peak >= 25 * MIB


def test_a_fixed_threshold_gives_the_hole_back() -> None:
    heap = Heap(256 * 1024, fixed=True)
    heap.begin(0, 8 * MIB)
    heap.end(0)
    for number in (1, 2):
        heap.begin(number, 8 * MIB)
    heap.end(1)
    heap.begin(3, 8 * MIB)

    assert heap.peak < 17 * MIB


@given(st.lists(st.tuples(st.integers(1, 40 * MIB), st.integers(0, 20)), min_size=1, max_size=60))
def test_resident_is_never_less_than_what_lives(steps: list[tuple[int, int]]) -> None:
    heap, live, most = Heap(), {}, 0
    for number, (size, freed) in enumerate(steps):
        heap.begin(number, size)
        live[number] = size
        most = max(most, sum(live.values()))
        if live.pop(freed, None) is not None:
            heap.end(freed)

    assert heap.peak >= most
