"""From what is asked for to exact versions and digests, and from these to files in the store.

The names below are imported when they are first used: who only reads a lock as part of a record
(`dsvm.lock.model`) shall not wait for the resolver and the downloader.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dsvm.lock.changes import Change, diff
    from dsvm.lock.fetching import Vanished, fetch_all
    from dsvm.lock.file import LOCK_NAME, lock_beside, lock_file, lock_text, read_lock, write_lock
    from dsvm.lock.make import make_lock
    from dsvm.lock.request import request_digest

__all__ = [
    "LOCK_NAME",
    "Change",
    "Vanished",
    "diff",
    "fetch_all",
    "lock_beside",
    "lock_file",
    "lock_text",
    "make_lock",
    "read_lock",
    "request_digest",
    "write_lock",
]

_HOMES = {
    "changes": ("Change", "diff"),
    "fetching": ("Vanished", "fetch_all"),
    "file": ("LOCK_NAME", "lock_beside", "lock_file", "lock_text", "read_lock", "write_lock"),
    "make": ("make_lock",),
    "request": ("request_digest",),
}


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
