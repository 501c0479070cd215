"""What the networks of all engines share: ports of the host's loopback, and name servers."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from dsvm.errors import DsvmError

# A link-local address that no network routes: pasta and passt answer it with the host's own
# resolver.
RESOLVER = "169.254.53.53"
STUB = Path("/run/systemd/resolve/resolv.conf")


class PortTaken(DsvmError):
    """Another program listens where a port of the machine is to appear."""


def is_free(port: int) -> bool:
    """Whether nothing listens on this port of the loopback now."""
    return _refusal(port) is None


def check_ports(ports: Mapping[int, int]) -> None:
    """Raise `PortTaken` for the first port of the host's loopback that is not free."""
    for inside, outside in sorted(ports.items()):
        if refused := _refusal(outside):
            raise PortTaken(
                f"port {outside} of this host is taken",
                cause=f"the machine's port {inside} is to appear there: {refused}",
                remedy="stop the program that listens there, or start again to get another",
            )


def _refusal(port: int) -> str | None:
    with socket.socket() as probe:
        # As sshd and pasta do: a connection that just ended does not keep the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as refused:
            return refused.strerror or "taken"
    return None


def resolv_conf(host: Path = Path("/etc/resolv.conf")) -> str:
    """The machine's resolv.conf: the host's, where its resolvers can be reached from a machine.

    A resolver on the host's loopback cannot; systemd-resolved tells the real ones, and any other
    is reached by an address that pasta or passt forwards.
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
