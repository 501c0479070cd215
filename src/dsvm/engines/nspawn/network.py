"""The machine's network: a namespace of its own that `pasta` joins to the host's.

Only the forwarded ports of the host's loopback lead in. Out of the machine goes what the host can
reach, except the host's own loopback. See pasta(1).
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from dsvm.errors import DsvmError
from dsvm.programs import ProgramFailed, run

PASTA = "pasta"
# A link-local address that no network routes: pasta answers it with the host's own resolver.
RESOLVER = "169.254.53.53"
STUB = Path("/run/systemd/resolve/resolv.conf")


class PortTaken(DsvmError):
    """Another program listens where a port of the machine is to appear."""


def check_ports(ports: Mapping[int, int]) -> None:
    """Raise `PortTaken` for the first port of the host's loopback that is not free."""
    for inside, outside in sorted(ports.items()):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", outside))
            except OSError as refused:
                raise PortTaken(
                    f"port {outside} of this host is taken",
                    cause=f"the machine's port {inside} is to appear there: {refused.strerror}",
                    remedy="stop the program that listens there, or start again to get another",
                ) from None


def join(netns: Path, ports: Mapping[int, int], log: Path, *, forward_dns: bool) -> int:
    """Connect the namespace; return pasta's process id once all ports are open.

    `forward_dns` gives the namespace the host's own resolver at `RESOLVER`; pasta then hides the
    resolver's real address, so it is for a `resolv_conf` that names `RESOLVER`.
    For the supervisor only: pasta goes to the background and becomes a child of process 1.
    Raises `PortTaken`, `ProgramFailed`.
    """
    before = children()
    try:
        run(_argv(netns, ports, forward_dns=forward_dns), log=log)
    except ProgramFailed:
        check_ports(ports)
        raise
    started = children() - before
    if len(started) != 1:
        raise DsvmError("`pasta` ended at once", log=log)
    return started.pop()


def _argv(netns: Path, ports: Mapping[int, int], *, forward_dns: bool) -> list[str]:
    pairs = ",".join(f"{outside}:{inside}" for inside, outside in sorted(ports.items()))
    argv = [PASTA, "--config-net", "--netns", str(netns), "--quiet"]
    # Run as root, pasta becomes nobody, who may not enter the namespace; Debian 12's has no better
    # way than to stay. It confines itself otherwise (own root, no capabilities it does not need).
    argv += ["--runas", "0"]
    # The gateway's address would be the host's loopback: everything that listens there.
    argv += ["--no-map-gw"]
    if forward_dns:
        argv += ["--dns-forward", RESOLVER]
    argv += ["-t", f"127.0.0.1/{pairs}" if pairs else "none"]
    return [*argv, "-u", "none", "-T", "none", "-U", "none"]


def resolv_conf(host: Path = Path("/etc/resolv.conf")) -> str:
    """The machine's resolv.conf: the host's, where its resolvers can be reached from a machine.

    A resolver on the host's loopback cannot; systemd-resolved tells the real ones, and any other
    is reached by an address that pasta forwards.
    """
    text = _read(host)
    if _loopback(text) and STUB.exists():
        text = _read(STUB)
    if _nameservers(text) and not _loopback(text):
        return text
    kept = [line for line in text.splitlines() if line.split()[:1] in (["search"], ["options"])]
    return "\n".join([f"nameserver {RESOLVER}", *kept, ""])


def _nameservers(text: str) -> list[str]:
    words = (line.split() for line in text.splitlines())
    return [found[1] for found in words if found[:1] == ["nameserver"] and len(found) > 1]


def _loopback(text: str) -> bool:
    return any(address.startswith(("127.", "::1")) for address in _nameservers(text))


def _read(file: Path) -> str:
    with suppress(OSError):
        return file.read_text(encoding="utf-8", errors="replace")
    return ""


def children() -> set[int]:
    """Process ids of this process's children, by reading /proc of this pid namespace."""
    found = set()
    me = str(Path("/proc/self").readlink())
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # pid (name) state ppid: the name may hold anything, also brackets and blanks.
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
            if fields[0] != "Z" and fields[1] == me:
                found.add(int(stat.parent.name))
    return found
