"""Which addresses mean something only on this host: they must not be told to a machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_host_only(address: str) -> bool:
    """A path, a `file:` address, or a name of this host's own loopback."""
    parts = urlsplit(address if "://" in address else f"//{address}", scheme="")
    if "://" not in address and ("/" in address or not address):
        return True
    if parts.scheme == "file":
        return True
    name = (parts.hostname or "").rstrip(".")
    if name in ("", "localhost") or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
