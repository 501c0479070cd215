"""Passes connections on to a server that asks the kernel who connects: each as who it is.

    client of user U -> /run/a.sock (systemd's socket) -> here, as U -> the server's own socket

systemd's own proxy would be the same user for all. A connection by TCP, of which a server learns
no user, goes to the server's port. Runs as root, in one thread: for as long as it connects it has
the client's user and groups.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from dsvm.guest.connections import Connections

# systemd hands listening sockets over as the first descriptors after stderr; sd_listen_fds(3).
FIRST_FD = 3
CHUNK = 256 * 1024
_CREDENTIALS = struct.Struct("iII")


def serve(path: str, port: int) -> None:
    """Serve the sockets that systemd handed over; never ends by itself."""
    asyncio.run(_serve(_listening(), path, port))


def _listening() -> list[socket.socket]:
    count = int(os.environ.get("LISTEN_FDS", "0"))
    return [socket.socket(fileno=fd) for fd in range(FIRST_FD, FIRST_FD + count)]


async def _serve(doors: list[socket.socket], path: str, port: int) -> None:
    connections = Connections()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Whoever it was has gone, or the server has.
        with connections.one(), suppress(OSError):
            await _join(reader, writer, await _server(writer, path, port))
        writer.close()

    # Not `start_unix_server`: since Python 3.13 that one takes the path away when it ends.
    servers = [await asyncio.start_server(connected, sock=door, limit=CHUNK) for door in doors]
    await asyncio.gather(*(server.serve_forever() for server in servers))


async def _server(
    client: asyncio.StreamWriter, path: str, port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    line: socket.socket = client.get_extra_info("socket")
    if line.family != socket.AF_UNIX:
        return await asyncio.open_connection("127.0.0.1", port, limit=CHUNK)
    return await asyncio.open_unix_connection(sock=connect_as(path, *peer(line)), limit=CHUNK)


def peer(line: socket.socket) -> tuple[int, int]:
    """The user and the group of who connected; unix(7)."""
    told = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, gid = _CREDENTIALS.unpack(told)
    return uid, gid


def connect_as(path: str, uid: int, gid: int) -> socket.socket:
    """A connection to the socket at `path` that is that user's."""
    made = socket.socket(socket.AF_UNIX)
    try:
        with _as(uid, gid):
            made.connect(path)
    except OSError:
        made.close()
        raise
    return made


@contextmanager
def _as(uid: int, gid: int) -> Iterator[None]:
    if uid == os.geteuid():
        yield
        return
    mine = os.geteuid(), os.getegid(), os.getgroups()
    try:
        name = pwd.getpwuid(uid).pw_name
        groups = os.getgrouplist(name, gid)
    except KeyError:
        groups = [gid]
    os.setgroups(groups)
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(mine[0])
        os.setegid(mine[1])
        os.setgroups(mine[2])


async def _join(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    """Carry bytes both ways; the end of one direction is told on, the other goes on."""
    try:
        await asyncio.gather(_carry(reader, server[1]), _carry(server[0], writer))
    finally:
        server[1].close()


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(CHUNK):
        target.write(data)
        await target.drain()
    target.write_eof()
