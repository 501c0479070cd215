"""Free ranges of an allocator that is simulated, by address and by size."""

from __future__ import annotations

from bisect import bisect_left, insort


class FreeRanges:
    """Ranges that do not overlap, each a start and a size in bytes."""

    def __init__(self) -> None:
        self._sizes: list[tuple[int, int]] = []
        self._starts: dict[int, int] = {}
        self._ends: dict[int, int] = {}

    def holds(self, need: int) -> bool:
        """Whether one has room for so many bytes."""
        return bisect_left(self._sizes, (need, 0)) < len(self._sizes)

    def take(self, need: int) -> tuple[int, int] | None:
        """Take out the smallest that has room; of equal ones that with the lowest address."""
        at = bisect_left(self._sizes, (need, 0))
        if at == len(self._sizes):
            return None
        size, start = self._sizes[at]
        self._forget(start, size)
        return start, size

    def add(self, start: int, size: int) -> None:
        self._starts[start], self._ends[start + size] = size, start
        insort(self._sizes, (size, start))

    def merged(self, start: int, size: int) -> tuple[int, int]:
        """A range with its neighbours, which are taken out."""
        after = self._starts.get(start + size)
        if after is not None:
            self._forget(start + size, after)
            size += after
        before = self._ends.get(start)
        if before is not None:
            self._forget(before, start - before)
            start, size = before, size + start - before
        return start, size

    def _forget(self, start: int, size: int) -> None:
        del self._starts[start], self._ends[start + size]
        del self._sizes[bisect_left(self._sizes, (size, start))]
