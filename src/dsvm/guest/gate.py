"""The gate of a web app that knows no token: it opens the app to who has its token, else nothing.

    browser -> 127.0.0.1:PORT (systemd's socket) -> gate -> /run/dsvm/doors/<app>.sock -> the app

`/dsvm-signin/<token>/<path>` sets a cookie and leads on to `/<path>`; every other request needs
the cookie. The door is in a folder that only the login may enter, and its socket starts the app at
the first use. The gate itself runs as the login, starts with the first connection, and ends when
nobody has been connected for a while.

One request a connection: the gate asks the app, and so the browser, to close after the answer, and
passes on no more than the request announces. A second request can then never pass on the word of
the first, whatever the app makes of what follows. What upgrades (websockets) goes on as long as
both want. See RFC 9112.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dsvm.guest.connections import Connections
from dsvm.guest.places import APPS, DOORS

SIGN_IN = "/dsvm-signin/"
COOKIE = "dsvm-"
SWITCHED = b"101"
HEAD_BYTES = 64 * 1024
HEAD_S = 30.0
CHUNK = 64 * 1024
IDLE_S = 60.0
# systemd hands the listening socket over as the first descriptor after stderr; sd_listen_fds(3).
LISTEN_FD = 3
_STAYS = (b"connection:", b"keep-alive:")
_HOP = ("connection", "keep-alive", "proxy-connection")


@dataclass(frozen=True)
class Refused(Exception):
    """What the gate answers in place of the app."""

    status: str
    text: str


@dataclass(frozen=True)
class Request:
    """The head of a request: its first line, and its headers as they came."""

    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]

    def first(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    @property
    def upgrades(self) -> bool:
        return self.first("upgrade").lower() == "websocket"

    @property
    def chunked(self) -> bool:
        return bool(self.all("transfer-encoding"))

    @property
    def length(self) -> int:
        """Bytes of its body, when it is not chunked."""
        return int(self.first("content-length") or 0)


@dataclass(frozen=True)
class Key:
    """What opens an app: its token, and the cookie that who showed the token got.

    The cookie has a name of its own, since browsers show cookies to every port of a host, and is
    not the token itself.
    """

    app: str
    token: str

    @property
    def cookie(self) -> tuple[str, str]:
        def made(purpose: str) -> str:
            return hmac.new(self.token.encode(), purpose.encode(), hashlib.sha256).hexdigest()

        return f"{COOKIE}{self.app}-{made('name')[:12]}", made("cookie")

    def fits(self, token: str) -> bool:
        return bool(self.token) and hmac.compare_digest(self.token.encode(), token.encode())

    def signed_in(self, request: Request) -> bool:
        name, wanted = self.cookie
        shown = [value for key, value in _cookies(request) if key == name]
        return any(hmac.compare_digest(wanted.encode(), value.encode()) for value in shown)


def serve(app: str) -> None:
    """Serve the socket that systemd handed over until nobody has come for `IDLE_S` seconds."""
    listening = socket.socket(fileno=LISTEN_FD)
    asyncio.run(Gate(key_of(app), DOORS / f"{app}.sock").serve(listening, IDLE_S))


def key_of(app: str) -> Key:
    lines = (APPS / f"{app}.env").read_text(encoding="utf-8").splitlines()
    return Key(app, dict(line.split("=", 1) for line in lines)["DSVM_TOKEN"])


class Gate:
    """Serves one app, which answers at the socket `door`."""

    def __init__(self, key: Key, door: Path) -> None:
        self._key = key
        self._door = door
        self._connections = Connections()
        self._came = asyncio.Event()

    async def serve(self, listening: socket.socket, idle_s: float) -> None:
        async with await asyncio.start_server(self._connected, sock=listening, limit=HEAD_BYTES):
            while True:
                self._came.clear()
                try:
                    await asyncio.wait_for(self._came.wait(), idle_s)
                except TimeoutError:
                    if not self._connections:
                        return

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with self._connections.one():
                await self._answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            pass  # who asked, or the app, has gone
        finally:
            self._came.set()
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _read(reader)
            if request.target.startswith(SIGN_IN):
                writer.write(self._sign_in(request))
            else:
                self._let_in(request)
                await self._pass_on(request, reader, writer)
        except Refused as refused:
            writer.write(_page(refused.status, refused.text))
        await writer.drain()

    def _sign_in(self, request: Request) -> bytes:
        token, _, path = request.target.removeprefix(SIGN_IN).partition("/")
        if not self._key.fits(token):
            raise self._unknown()
        name, value = self._key.cookie
        # More than one slash at its beginning would be the address of another host.
        headers = {
            "Location": f"/{path.lstrip('/')}",
            "Set-Cookie": f"{name}={value}; Path=/; HttpOnly; SameSite=Lax",
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
        }
        return _page("303 See Other", "", headers)

    def _let_in(self, request: Request) -> None:
        if not self._key.signed_in(request):
            raise self._unknown()
        # Pages of the host's other ports are of the same site: their requests bear the cookie.
        origin = request.first("origin")
        if origin and origin.partition("://")[2] != request.first("host"):
            raise Refused("403 Forbidden", f"{self._key.app} takes no requests of other pages.")

    def _unknown(self) -> Refused:
        app = self._key.app
        return Refused(
            "403 Forbidden", f"{app} opens at the address that `dsvm open MACHINE {app}` prints."
        )

    async def _pass_on(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            from_app, to_app = await asyncio.open_unix_connection(self._door, limit=HEAD_BYTES)
        except OSError as fault:
            raise Refused("502 Bad Gateway", f"{self._key.app} is not there: {fault}.") from None
        try:
            to_app.write(_head(request))
            switched = asyncio.Event()
            sending = asyncio.create_task(_send(request, reader, to_app, switched))
            try:
                if await _pass_head(from_app, writer) == SWITCHED:
                    switched.set()
                await _pump(from_app, writer)
            finally:
                sending.cancel()
        finally:
            to_app.close()


async def _pass_head(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> bytes:
    """Pass on the head of an answer, and that nothing comes after it: who believed that the
    connection stays would lose the next request to it. Not every app says so when it is told.
    Returns the status."""
    status = b"1"
    while status.startswith(b"1") and status != SWITCHED:
        head = await source.readuntil(b"\r\n\r\n")
        status = head[9:12]
        if not status.startswith(b"1"):
            lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
            kept = [line for line in lines if not line.lower().startswith(_STAYS)]
            head = b"\r\n".join([*kept, b"Connection: close", b"", b""])
        target.write(head)
    return status


async def _read(reader: asyncio.StreamReader) -> Request:
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_S)
    except asyncio.LimitOverrunError:
        raise Refused("431 Request Header Fields Too Large", "Too much to read.") from None
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, _, rest = first.partition(" ")
    target, _, version = rest.partition(" ")
    headers = [line.partition(":") for line in lines]
    if not target.startswith("/") or version not in ("HTTP/1.0", "HTTP/1.1"):
        raise Refused("400 Bad Request", "That is no request.")
    if not all(colon and name.strip() == name and name for name, colon, _ in headers):
        raise Refused("400 Bad Request", "That is no request.")
    fields = tuple((name, value.strip()) for name, _, value in headers)
    request = Request(method, target, version, fields)
    if not _announces_one_body(request):
        raise Refused("400 Bad Request", "Where that request ends cannot be told.")
    return request


def _announces_one_body(request: Request) -> bool:
    """Whether all who read it see the same end: RFC 9112, 6.3, and nothing of its leniency."""
    coded = [value.lower() for value in request.all("transfer-encoding")]
    lengths = request.all("content-length")
    if coded:
        return coded == ["chunked"] and not lengths and request.version == "HTTP/1.1"
    return not lengths or (len(lengths) == 1 and bool(re.fullmatch(r"[0-9]{1,18}", lengths[0])))


def _head(request: Request) -> bytes:
    """The request as the app gets it: without our cookies, to be closed after its answer."""
    ours = (*_HOP, "cookie") if request.upgrades else (*_HOP, "cookie", "upgrade")
    lines = [f"{request.method} {request.target} {request.version}"]
    lines += [f"{name}: {value}" for name, value in request.headers if name.lower() not in ours]
    cookies = [f"{name}={value}" for name, value in _cookies(request)]
    if others := [one for one in cookies if not one.startswith(COOKIE)]:
        lines.append(f"Cookie: {'; '.join(others)}")
    lines.append(f"Connection: {'Upgrade' if request.upgrades else 'close'}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _cookies(request: Request) -> list[tuple[str, str]]:
    pairs = [pair.strip() for header in request.all("cookie") for pair in header.split(";")]
    return [(name, value) for name, _, value in (pair.partition("=") for pair in pairs) if name]


def _page(status: str, text: str, headers: dict[str, str] | None = None) -> bytes:
    body = f"{text}\n".encode() if text else b""
    fields = {
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **(headers or {}),
    }
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


async def _send(
    request: Request,
    source: asyncio.StreamReader,
    target: asyncio.StreamWriter,
    switched: asyncio.Event,
) -> None:
    """Pass on what the request announces, and in the end that who asked has gone."""
    try:
        if request.chunked:
            await _pass_chunks(source, target)
        else:
            await _pass_bytes(source, target, request.length)
        if request.upgrades:
            await switched.wait()
        else:
            while await source.read(CHUNK):
                pass
        await _pump(source, target)
    # Gone, or against the rules.
    except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        target.close()


async def _pass_chunks(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Pass on a chunked body without its extensions and trailers: RFC 9112, 7.1."""
    size = -1
    while size != 0:
        line = await source.readuntil(b"\r\n")
        written = line.partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,15}", written):
            raise ValueError("no size of a chunk")
        size = int(written, 16)
        if size:
            target.write(b"%x\r\n" % size)
            await _pass_bytes(source, target, size)
            if await source.readexactly(2) != b"\r\n":
                raise ValueError("a chunk is longer than it says")
            target.write(b"\r\n")
    target.write(b"0\r\n\r\n")
    await target.drain()


async def _pass_bytes(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, count: int
) -> None:
    while count:
        data = await source.read(min(count, CHUNK))
        if not data:
            raise asyncio.IncompleteReadError(b"", count)
        target.write(data)
        await target.drain()
        count -= len(data)


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Pass on what comes until the source ends, and say so to the target."""
    with suppress(OSError):  # either of them has gone
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()
