"""A server on the loopback that is a bad mirror on purpose."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WAYS = ("busy", "garbage", "short", "hangs", "drips")
DRIP_S = 0.05


class Handler(BaseHTTPRequestHandler):
    """Answers every request in the server's way."""

    server: Faulty

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        match self.server.way:
            case "busy":
                self.send_error(503)
            case "garbage":
                self._send(200, b"<html>Please sign in</html>" * 99)
            case "short":
                self._send(200, b"half", more=1000)
            case "hangs":
                self.server.over.wait()
                self.close_connection = True
            case "drips":
                self._send(200, b"", more=10**6)
                while not self.server.over.wait(DRIP_S):
                    self.wfile.write(b"x")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _send(self, status: int, data: bytes, more: int = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(data) + more))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Faulty(ThreadingHTTPServer):
    """`way` is one of `WAYS`; `asked` are the paths of all requests."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, way: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.way = way
        self.asked: list[str] = []
        self.over = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that gave up, on purpose


@contextmanager
def faulty(way: str) -> Iterator[Faulty]:
    server = Faulty(way)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
