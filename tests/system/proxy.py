"""A real HTTP proxy that asks for a password, for one address of this host (RFC 9110, CONNECT)."""

from __future__ import annotations

import base64
import http.client
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_BY_HOP = {"proxy-authorization", "proxy-connection", "connection", "keep-alive"}
CHUNK = 1 << 16


class Handler(BaseHTTPRequestHandler):
    """Forwards what comes with the password; an index of its own has nothing."""

    server: Proxy
    protocol_version = "HTTP/1.1"

    def do_CONNECT(self) -> None:
        if not self._known():
            return
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port)), 30) as upstream:
            self.send_response(200)
            self.end_headers()
            self._tunnel(upstream)
        self.close_connection = True

    def do_GET(self) -> None:
        target = urlsplit(self.path)
        if not target.netloc:
            self._short(404)
            return
        if not self._known():
            return
        headers = {
            name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP
        }
        upstream = http.client.HTTPConnection(target.netloc, timeout=60)
        upstream.request(
            self.command, target._replace(scheme="", netloc="").geturl(), None, headers
        )
        answer = upstream.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {*HOP_BY_HOP, "transfer-encoding"}:
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        while data := answer.read(CHUNK):
            self.wfile.write(data)
        upstream.close()
        self.close_connection = True

    def _known(self) -> bool:
        if self.headers.get("Proxy-Authorization") == f"Basic {self.server.password}":
            self.server.used += 1
            return True
        self._short(407)
        return False

    def _short(self, status: int) -> None:
        self.send_response(status)
        if status == 407:
            self.send_header("Proxy-Authenticate", 'Basic realm="lab"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _tunnel(self, upstream: socket.socket) -> None:
        ends = {self.connection: upstream, upstream: self.connection}
        while True:
            ready, _, _ = select.select([*ends], [], [], 120)
            for one in ready:
                data = one.recv(CHUNK)
                if not data:
                    return
                ends[one].sendall(data)
            if not ready:
                return

    def log_message(self, format: str, *args: object) -> None:
        pass


class Proxy(ThreadingHTTPServer):
    """`used` counts what it forwarded."""

    daemon_threads = True
    password = ""
    used = 0

    def url(self, user: str, path: str = "") -> str:
        return f"http://{user}@{self.server_address[0]!s}:{self.server_port}{path}"


@contextmanager
def proxy(address: str, user: str) -> Iterator[Proxy]:
    """`user` is `name:password`, as an address has it."""
    server = Proxy((address, 0), Handler)
    server.password = base64.b64encode(user.encode()).decode()
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
