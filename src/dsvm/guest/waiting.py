"""Waits until something listens: what stands between a service and its first use."""

from __future__ import annotations

import socket
import time

POLL_S = 0.05


def wait_for(place: str) -> None:
    """Return once `127.0.0.1:PORT` or the socket at `/path` takes connections.

    How long that may take is for systemd to say, which ends who calls this.
    """
    while not _answers(place):
        time.sleep(POLL_S)


def _answers(place: str) -> bool:
    host, _, port = place.rpartition(":")
    family = socket.AF_UNIX if place.startswith("/") else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trying:
        try:
            trying.connect(place if family == socket.AF_UNIX else (host, int(port)))
        except OSError:
            return False
    return True
