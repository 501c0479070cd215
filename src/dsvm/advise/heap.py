"""How much memory glibc's malloc keeps resident for a course of allocations.

Blocks at least as large as the threshold are mapped apart and given back at once. Freeing such a
block raises the threshold to its size (up to 32 MiB), so that blocks of that size come from the
heap from then on; the heap gives back only what lies free at its top, beyond twice the threshold.
This is why a process stays larger than what it holds.

Source: glibc 2.36 `malloc/malloc.c` (sysmalloc, __libc_free, systrim) and mallopt(3).
"""

from __future__ import annotations

from dsvm.advise.ranges import FreeRanges

MIB = 1024**2
FIRST_THRESHOLD = 128 * 1024
LARGEST_THRESHOLD = 32 * MIB
PAGE = 4096
PAD = 128 * 1024
HEADER = 16
ALIGN = 96
"""What an aligned request asks for on top; small objects take what is left over of it."""


class Heap:
    """One arena: blocks by number, free ranges by address and by size.

    In bytes, `peak` is the most that was resident, `fresh` all that the kernel gave. After each
    `pinned` blocks a small object stays between two of them (a state, a node of autograd), and
    ranges beside it never become one; 0: never.
    """

    def __init__(self, *, pinned: int) -> None:
        self.threshold = FIRST_THRESHOLD
        self.peak = self.fresh = 0
        self._pinned = pinned
        self._trim = PAD
        self._taken = 0
        self._resident = 0
        self._top = 0
        self._end = 0
        self._blocks: dict[int, tuple[int, int]] = {}
        self._free = FreeRanges()

    def begin(self, number: int, size: int) -> None:
        """A block of `size` bytes."""
        if size <= 0:
            return
        need = -(-(size + HEADER) // HEADER) * HEADER
        if need + ALIGN >= self.threshold and not self._fits(need + ALIGN):
            pages = -(-need // PAGE) * PAGE
            self._blocks[number] = (-1, pages)
            self._grow(pages)
            return
        self._blocks[number] = (self._take(need), need)

    def end(self, number: int) -> None:
        """The block is freed."""
        if number not in self._blocks:
            return
        address, size = self._blocks.pop(number)
        if address < 0:
            self._grow(-size)
            if self.threshold < size <= LARGEST_THRESHOLD:
                self.threshold = size
                self._trim = 2 * size
            return
        self._give(address, size)

    def _grow(self, size: int) -> None:
        self._resident += size
        self.peak = max(self.peak, self._resident)
        self.fresh += max(0, size)

    def _fits(self, need: int) -> bool:
        """Whether a free range has room; malloc looks there, and at the top, before it maps."""
        return self._free.holds(need) or self._end - self._top >= need

    def _take(self, need: int) -> int:
        pin = self._pin()
        found = self._free.take(need + ALIGN)
        if found:
            start, size = found
            left = size - pin - need
            if left >= 1024:
                self._free.add(start + pin + need, left)
            return start + pin
        start = self._top + pin
        self._top = start + need
        if self._top > self._end:
            more = -(-(self._top - self._end + PAD) // PAGE) * PAGE
            self._end += more
            self._grow(more)
        return start

    def _pin(self) -> int:
        """Bytes of an object that stays before the next block."""
        self._taken += 1
        return ALIGN if self._pinned and self._taken % self._pinned == 0 else 0

    def _give(self, start: int, size: int) -> None:
        start, size = self._free.merged(start, size)
        if start + size < self._top:
            self._free.add(start, size)
            return
        self._top = start
        if self._end - self._top >= self._trim:
            less = (self._end - self._top - PAD) // PAGE * PAGE
            self._end -= less
            self._grow(-less)
