"""Growing the root file system is refused in words, and never shrinks anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsvm.guest.grow import grow
from dsvm.guest.system import GuestError


def test_what_does_not_grow_is_told_with_the_reason() -> None:
    with pytest.raises(GuestError, match="does not grow while it is mounted: Inappropriate ioctl"):
        grow(1 << 30, Path("/proc"))
