"""Who comes before a service listens waits until it does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from dsvm.guest.waiting import wait_for


def port(folder: Path) -> tuple[socket.socket, str]:
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    return made, f"127.0.0.1:{made.getsockname()[1]}"


def path(folder: Path) -> tuple[socket.socket, str]:
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(folder / "door"))
    return made, str(folder / "door")


@pytest.mark.parametrize("kind", [port, path])
def test_it_returns_once_somebody_listens_and_not_before(
    kind: Callable[[Path], tuple[socket.socket, str]], tmp_path: Path
) -> None:
    door, place = kind(tmp_path)
    with door:
        waiting = threading.Thread(target=wait_for, args=(place,), daemon=True)
        waiting.start()
        waiting.join(0.2)
        early = not waiting.is_alive()
        door.listen()
        waiting.join(10)

        assert (early, waiting.is_alive()) == (False, False)
