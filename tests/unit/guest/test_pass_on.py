"""A connection that is passed on is its client's own, for who asks the kernel as for who talks."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from dsvm.guest.pass_on import connect_as, peer

NOBODY = 65534
WAIT_S = 10
OTHERS = 300


@pytest.fixture
def server() -> Iterator[tuple[str, int]]:
    """A server at a socket and at a port that tells the user it sees (-1: none), and echoes."""
    # Not below pytest's own folder, which nobody else may enter.
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = f"{folder}/server"
        local, port = socket.socket(socket.AF_UNIX), socket.socket()
        local.bind(path)
        Path(path).chmod(0o777)
        port.bind(("127.0.0.1", 0))
        threads = [
            threading.Thread(target=_echo, args=(one,), daemon=True) for one in (local, port)
        ]
        for one, thread in zip((local, port), threads, strict=True):
            one.listen()
            thread.start()
        yield path, port.getsockname()[1]
        for one, thread in zip((local, port), threads, strict=True):
            one.shutdown(socket.SHUT_RDWR)  # a mere close would not wake the thread
            thread.join()
            one.close()


def _echo(listening: socket.socket) -> None:
    while True:
        try:
            line, _ = listening.accept()
        except OSError:
            return
        uid = peer(line)[0] if line.family == socket.AF_UNIX else -1
        line.sendall(f"{uid}\n".encode())
        while data := line.recv(65536):
            line.sendall(data)
        line.close()


def dial(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)


def _send(line: socket.socket, words: bytes) -> None:
    line.sendall(words)
    line.shutdown(socket.SHUT_WR)


def _said(line: socket.socket, words: bytes) -> bytes:
    """All that comes back until the other side ends, too."""
    with line:
        line.settimeout(WAIT_S)
        threading.Thread(target=_send, args=(line, words), daemon=True).start()
        found = b""
        while data := line.recv(65536):
            found += data
        return found


class PassingOn:
    """`dsvm-guest pass-on` with the sockets that systemd would hand over."""

    def __init__(self, server: tuple[str, int], folder: Path) -> None:
        self._server = server
        self._doors = [socket.socket(socket.AF_UNIX), socket.socket()]
        self._doors[0].bind(str(folder / "door"))
        self._doors[1].bind(("127.0.0.1", 0))
        for door in self._doors:
            door.listen()

    def __enter__(self) -> tuple[str, int]:
        # The two sockets become the descriptors 3 and 4, wherever they are now.
        fds = [door.fileno() for door in self._doors]
        code = (
            "import os, sys; fds = [os.dup(int(one)) for one in sys.argv[1:3]]\n"
            "moved = [os.dup2(fd, 40 + at) for at, fd in enumerate(fds)]\n"
            "[os.dup2(fd, 3 + at) for at, fd in enumerate(moved)]\n"
            "os.environ['LISTEN_FDS'] = '2'\n"
            "from dsvm.guest.__main__ import main\n"
            "main(['pass-on', *sys.argv[3:]])"
        )
        words = [*map(str, fds), self._server[0], str(self._server[1])]
        self._process = subprocess.Popen([sys.executable, "-c", code, *words], pass_fds=fds)
        path: str = self._doors[0].getsockname()
        port: int = self._doors[1].getsockname()[1]
        return path, port

    def __exit__(self, *told: object) -> None:
        self._process.kill()
        self._process.wait()
        for door in self._doors:
            door.close()


def test_both_ways_pass_all_bytes_and_the_end(server: tuple[str, int], tmp_path: Path) -> None:
    words = os.urandom(3_000_000)
    with PassingOn(server, tmp_path) as (path, port):
        local = socket.socket(socket.AF_UNIX)
        local.connect(path)
        by_path = _said(local, words)
        by_port = _said(socket.create_connection(("127.0.0.1", port)), words)

    assert by_path == f"{os.geteuid()}\n".encode() + words
    assert by_port == b"-1\n" + words


def test_a_client_that_says_no_more_still_gets_a_late_answer(tmp_path: Path) -> None:
    """Others come and go meanwhile, so that Python looks for what nobody needs any longer."""
    with socket.create_server(("127.0.0.1", 0)) as slow:
        given = (str(tmp_path / "nobody"), slow.getsockname()[1])
        with PassingOn(given, tmp_path) as (_, port), closing(dial(port)) as client:
            client.shutdown(socket.SHUT_WR)
            line, _ = slow.accept()
            assert line.recv(1) == b""
            for _ in range(OTHERS):
                dial(port).close()
                slow.accept()[0].close()
            with closing(line):
                line.sendall(b"late")
            assert client.recv(4) == b"late"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can connect as somebody else")
def test_it_connects_as_another_user_and_is_itself_again(server: tuple[str, int]) -> None:
    before = os.geteuid(), os.getegid(), os.getgroups()

    with connect_as(server[0], NOBODY, NOBODY) as line:
        line.settimeout(WAIT_S)
        seen = line.recv(16)

    assert seen == f"{NOBODY}\n".encode()
    assert (os.geteuid(), os.getegid(), os.getgroups()) == before
