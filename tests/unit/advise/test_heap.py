"""What glibc's malloc keeps resident."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dsvm.advise.heap import MIB, Heap

PAGE = 4096


def test_a_large_block_is_given_back() -> None:
    heap = Heap(pinned=0)
    for number in range(3):
        heap.begin(number, 64 * MIB)
        heap.end(number)

    assert 64 * MIB <= heap.peak <= 64 * MIB + 2 * PAGE


def test_a_hole_is_kept_below_what_lives() -> None:
    """The first freed block raises the threshold; from then on blocks of its size stay."""
    heap = Heap(pinned=0)
    heap.begin(0, 8 * MIB)
    heap.end(0)
    for number in (1, 2):
        heap.begin(number, 8 * MIB)
    heap.end(1)
    heap.begin(3, 9 * MIB)  # larger than the hole, and than the threshold

    assert heap.peak >= 25 * MIB


def test_a_step_that_gives_back_what_it_took_takes_it_anew() -> None:
    heap = Heap(pinned=0)
    for number in range(3):
        heap.begin(number, 40 * MIB)
        heap.end(number)

    assert 120 * MIB <= heap.fresh <= 120 * MIB + 6 * PAGE


def test_what_stays_below_the_threshold_is_taken_once() -> None:
    heap = Heap(pinned=0)
    heap.begin(0, 30 * MIB)
    heap.end(0)
    before = heap.fresh
    for number in range(1, 5):
        heap.begin(number, 20 * MIB)
        heap.end(number)

    assert heap.fresh - before < 21 * MIB


def test_pinned_ranges_do_not_become_one() -> None:
    """A large block fits into freed neighbours, but not where objects stay between them."""
    peaks = []
    for pinned in (0, 7):
        heap = Heap(pinned=pinned)
        heap.begin(0, 30 * MIB)
        heap.end(0)
        for number in range(1, 30):
            heap.begin(number, MIB)
        heap.begin(99, MIB)  # so that the freed ones are no part of the top
        for number in range(1, 30):
            heap.end(number)
        heap.begin(100, 20 * MIB)
        peaks.append(heap.peak)

    assert peaks[1] > peaks[0] + 10 * MIB


@given(st.lists(st.tuples(st.integers(1, 40 * MIB), st.integers(0, 20)), min_size=1, max_size=60))
def test_resident_is_never_less_than_what_lives(steps: list[tuple[int, int]]) -> None:
    heap, live, most = Heap(pinned=7), {}, 0
    for number, (size, freed) in enumerate(steps):
        heap.begin(number, size)
        live[number] = size
        most = max(most, sum(live.values()))
        if live.pop(freed, None) is not None:
            heap.end(freed)

    assert heap.peak >= most
