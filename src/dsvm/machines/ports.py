"""Ports on the host's loopback: free ones, the same at each start."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator

from dsvm.engines.network import is_free

FIRST, COUNT = 20000, 10000
"""Below Linux's own range for outgoing connections (32768 and up), above the well-known ones."""


def choose_port(seed: str, taken: Collection[int]) -> int:
    """A free port, found from `seed`, so that the same machine gets the same one where it can.

    `taken` are those of other machines, running or not. Raises `OSError` when all are taken.
    """
    for port in _candidates(seed):
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no port from {FIRST} to {FIRST + COUNT - 1} is free")


def _candidates(seed: str) -> Iterator[int]:
    begin = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4])
    return (FIRST + (begin + step) % COUNT for step in range(COUNT))
