"""What can go wrong with the store."""

from __future__ import annotations

from dsvm.errors import DsvmError


class StoreFull(DsvmError):
    """The file system of the store has no room for what is to be kept."""


class StoreBusy(DsvmError):
    """Another process uses the store, so nothing may be removed now."""


class MissingBlob(DsvmError):
    """No file of that digest is in the store."""


class DamagedBlob(DsvmError):
    """The content of a file is not what its digest says."""


def binary_size(count: float) -> str:
    """Bytes as a person reads them: `700 B`, `8.0 MiB`, `1.2 GiB`."""
    units = ("KiB", "MiB", "GiB", "TiB")
    if count < 1024:
        return f"{count:.0f} B"
    for unit in units:
        count /= 1024
        if count < 1023.95 or unit == units[-1]:
            break
    return f"{count:.1f} {unit}"
