"""The gate opens an app to who has its token, and to nobody else. Real sockets on both sides."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from dsvm.guest.gate import Gate, Key

TOKEN = "t0ken-of-the-app"
KEY = Key("board", TOKEN)
COOKIE = "=".join(KEY.cookie)


@dataclass
class Served:
    """A gate on `port`, and all that came through to the app behind it."""

    port: int
    heads: list[bytes]
    gate: threading.Thread

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", headers=headers, trust_env=False)

    def raw(self, request: bytes) -> bytes:
        """Everything that is answered until the gate closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(4096), b""))


@pytest.fixture
def served(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Served]:
    """The app says a body back, and everything that comes over a websocket in capitals. The
    parameter is how many seconds the gate stays without anybody."""
    idle_s = getattr(request, "param", 600)
    door, heads = socket.socket(socket.AF_UNIX), list[bytes]()
    door.bind(str(tmp_path / "door"))
    door.listen()
    app = threading.Thread(target=_app, args=(door, heads), daemon=True)
    app.start()
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    gate = threading.Thread(
        target=lambda: asyncio.run(Gate(KEY, tmp_path / "door").serve(listening, idle_s)),
        daemon=True,
    )
    gate.start()
    with closing(door):
        yield Served(port, heads, gate)
        # Only that wakes the thread: after a mere close it would wait on, at a number that the
        # next socket has.
        door.shutdown(socket.SHUT_RDWR)
        app.join()


def _app(door: socket.socket, heads: list[bytes]) -> None:
    while True:
        try:
            connection, _ = door.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(connection, heads), daemon=True).start()


def _answer(connection: socket.socket, heads: list[bytes]) -> None:
    with connection:
        head, body = b"", b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        head, _, body = head.partition(b"\r\n\r\n")
        heads.append(head)
        if b"Upgrade: websocket" in head:
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
            while data := connection.recv(4096):
                connection.sendall(data.upper())
            return
        if b"Transfer-Encoding: chunked" in head:
            while not body.endswith(b"0\r\n\r\n"):
                if not (data := connection.recv(65536)):
                    return
                body += data
        wanted = [int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Len")]
        while len(body) < sum(wanted):
            body += connection.recv(65536)
        if b"X-Slow" in head:
            time.sleep(0.5)
        connection.settimeout(0.2)
        with suppress(TimeoutError):
            body += connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def test_nothing_comes_through_without_the_token(served: Served) -> None:
    refused = [
        served.get("/"),
        served.get("/dsvm-signin/"),
        served.get(f"/dsvm-signin/{'0' * len(TOKEN)}/"),
        served.get("/", cookie=f"{KEY.cookie[0]}={'0' * 64}"),
        served.get("/", cookie="=".join(Key("board", "another").cookie)),
        served.get(f"/?token={TOKEN}"),
    ]

    assert [answer.status_code for answer in refused] == [403] * len(refused)
    assert "dsvm open MACHINE board" in refused[0].text
    assert served.heads == []


def test_an_app_without_a_token_opens_to_nobody() -> None:
    assert not Key("board", "").fits("")


def test_the_address_signs_in_and_leads_on(served: Served) -> None:
    answer = served.get(f"/dsvm-signin/{TOKEN}/plots/1?size=2")

    assert (answer.status_code, answer.headers["location"]) == (303, "/plots/1?size=2")
    assert answer.headers["set-cookie"] == f"{COOKIE}; Path=/; HttpOnly; SameSite=Lax"
    assert TOKEN not in answer.headers["set-cookie"]
    with httpx.Client(trust_env=False, follow_redirects=True) as browser:
        root = f"http://127.0.0.1:{served.port}"
        assert browser.get(f"{root}/dsvm-signin/{TOKEN}/").status_code == 200
        assert browser.post(f"{root}/save", content=b"x" * 300_000).content == b"x" * 300_000


def test_signing_in_leads_to_no_other_host(served: Served) -> None:
    answer = served.get(f"/dsvm-signin/{TOKEN}//example.org/")

    assert answer.headers["location"] == "/example.org/"


def test_the_app_sees_neither_the_cookie_nor_that_the_connection_could_stay(served: Served) -> None:
    served.get("/", cookie=f"theme=dark; {COOKIE}", connection="keep-alive")

    (head,) = served.heads
    assert b"\r\nCookie: theme=dark\r\n" in head
    assert b"dsvm-" not in head
    assert head.endswith(b"Connection: close")


def test_a_page_of_another_port_cannot_use_the_cookie(served: Served) -> None:
    own, other = f"http://127.0.0.1:{served.port}", f"http://127.0.0.1:{served.port + 1}"

    assert served.get("/", cookie=COOKIE, origin=own).status_code == 200
    assert served.get("/", cookie=COOKIE, origin=other).status_code == 403


def test_who_says_that_nothing_more_comes_still_gets_the_answer(served: Served) -> None:
    request = f"GET / HTTP/1.1\r\nHost: h\r\nCookie: {COOKIE}\r\nX-Slow: 1\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
        connection.sendall(request.encode())
        connection.shutdown(socket.SHUT_WR)
        time.sleep(0.2)
        gc.collect()
        answer = b"".join(iter(lambda: connection.recv(4096), b""))

    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("served", [0.3], indirect=True)
def test_a_websocket_goes_both_ways_until_one_ends_it(served: Served) -> None:
    request = f"GET /ws HTTP/1.1\r\nHost: h\r\nCookie: {COOKIE}\r\nUpgrade: websocket\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
        connection.sendall(request.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 101 ")
        connection.sendall(b"one")
        assert connection.recv(4096) == b"ONE"
        time.sleep(0.8)  # longer than the gate stays without anybody
        connection.sendall(b"two")
        assert connection.recv(4096) == b"TWO"
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(4096) == b""


def test_a_second_request_does_not_pass_on_the_word_of_the_first(served: Served) -> None:
    first = f"GET /one HTTP/1.1\r\nHost: h\r\nCookie: {COOKIE}\r\n\r\n"

    answer = served.raw(first.encode() + b"GET /two HTTP/1.1\r\nHost: h\r\n\r\n")

    assert answer.count(b"HTTP/1.1 ") == 1
    assert [head.split()[1] for head in served.heads] == [b"/one"]


def announced(*headers: str) -> bytes:
    lines = ["POST /one HTTP/1.1", "Host: h", f"Cookie: {COOKIE}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.mark.parametrize(
    ("header", "sent", "passed"),
    [
        ("Content-Length: 3", b"abcGET /two HTTP/1.1\r\n\r\n", b"abc"),
        ("Accept: */*", b"GET /two HTTP/1.1\r\n\r\n", b""),
        ("Upgrade: websocket2", b"GET /two HTTP/1.1\r\n\r\n", b""),
        (
            "Transfer-Encoding: chunked",
            b"A;x=y\r\n0123456789\r\n1\r\n!\r\n0\r\nTrailer: t\r\n\r\nGET /two HTTP/1.1\r\n\r\n",
            b"a\r\n0123456789\r\n1\r\n!\r\n0\r\n\r\n",
        ),
    ],
)
def test_the_app_gets_the_body_that_is_announced_and_nothing_after_it(
    served: Served, header: str, sent: bytes, passed: bytes
) -> None:
    answer = served.raw(announced(header) + sent)

    assert answer.partition(b"\r\n\r\n")[2] == passed


def test_what_follows_an_upgrade_waits_until_the_app_has_agreed(served: Served) -> None:
    answer = served.raw(announced("Upgrade: WebSocket") + b"GET /two HTTP/1.1\r\n\r\n")

    # This app agrees to "websocket" alone: to it, that was a request like others.
    assert answer.partition(b"\r\n\r\n")[2] == b""


@pytest.mark.parametrize(
    "body",
    [b"x\r\n", b"2\r\nabc\r\n0\r\n\r\n", b"-1\r\n", b"0x1\r\na\r\n0\r\n\r\n", b"1" * 70_000],
    ids=["a letter", "longer than it says", "below zero", "0x", "endless"],
)
def test_chunks_against_the_rules_get_no_answer(served: Served, body: bytes) -> None:
    assert served.raw(announced("Transfer-Encoding: chunked") + body) == b""


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET http://example.org/ HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/2\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nCookie : a=b\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n continued: x\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000 + b"\r\n\r\n", b"431"),
    ],
)
def test_what_is_no_proper_request_is_refused(
    served: Served, request_: bytes, status: bytes
) -> None:
    assert served.raw(request_).split()[1] == status
    assert served.heads == []


@pytest.mark.parametrize("served", [0.3], indirect=True)
def test_it_ends_when_nobody_has_come_for_a_while(served: Served) -> None:
    served.gate.join(10)

    assert not served.gate.is_alive()


def test_an_app_that_is_not_there_is_told(tmp_path: Path) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    gate = Gate(KEY, tmp_path / "nowhere")
    threading.Thread(target=lambda: asyncio.run(gate.serve(listening, 600)), daemon=True).start()

    answer = httpx.get(f"http://127.0.0.1:{port}/", headers={"Cookie": COOKIE}, trust_env=False)

    assert (answer.status_code, answer.text.split(":")[0]) == (502, "board is not there")
