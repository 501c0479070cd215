"""The sockets of the host that wait for others, and whose they are."""

from __future__ import annotations

import json
import os
import socket
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dsvm.home import Home
from tests.system.spare import command
from tests.system.typed import Dsvm

LISTEN = "0A"
LOOPBACK = {"127.0.0.1", "::1"}


@dataclass(frozen=True)
class Listener:
    """One socket of the host's network that waits for others."""

    kind: str
    address: str
    port: int
    inode: str


def listeners() -> list[Listener]:
    """All of the host's: TCP that listens, UDP that is bound (proc_net(5))."""
    found = []
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path("/proc/net", kind).read_text().splitlines()[1:]:
            fields = line.split()
            address, _, port = fields[1].partition(":")
            waits = fields[3] == LISTEN if kind.startswith("tcp") else True
            if waits:
                found.append(Listener(kind, _readable(address), int(port, 16), fields[9]))
    return found


def _readable(address: str) -> str:
    """Each four bytes are a number in this host's order; all hosts of dsvm are little-endian."""
    words = [bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8)]
    kind = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(kind, b"".join(words))


def sockets_of(processes: Iterable[int]) -> set[str]:
    """The inodes of the sockets that these processes have open."""
    found = set()
    for process in processes:
        with suppress(OSError):
            for file in Path(f"/proc/{process}/fd").iterdir():
                with suppress(OSError):
                    found.add(str(file.readlink()).removeprefix("socket:[").rstrip("]"))
    return found


def listeners_of(home: Home) -> list[Listener]:
    """Every listener of the host that a process of this home holds, alone or beside others.

    One whose holder cannot be seen is held outside this host's own processes, if it is a container
    itself: a machine's processes can all be seen from here.
    """
    holders, ours = _holders(), _ours(home)
    return [one for one in listeners() if holders[one.inode] & ours]


def named(dsvm: Dsvm) -> set[int]:
    """The ports that `ls` names for machines that run."""
    rows = json.loads(dsvm("ls", "--json").stdout)
    return {port for row in rows if row["state"] == "running" for port in row["ports"].values()}


def own_address() -> str:
    """The address by which this host reaches others; empty where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def answers(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((address, port)) == 0


def _holders() -> dict[str, set[int]]:
    """Inode of a socket -> the processes that have it open."""
    found: dict[str, set[int]] = defaultdict(set)
    for process in processes():
        for inode in sockets_of([process]):
            found[inode].add(process)
    return found


def _ours(home: Home) -> set[int]:
    """Processes that name this home, or were told of it when they began."""
    told = b"DSVM_HOME=" + os.fsencode(home.root)
    found = set()
    for process in processes():
        with suppress(OSError):
            environment = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
            if told in environment or str(home.root) in command(process):
                found.add(process)
    return found


def processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]
