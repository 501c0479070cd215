"""Finds credentials in configuration, and takes them out of what a log or a report shows."""

from __future__ import annotations

import re

# `scheme://user:password@host` and `scheme://token@host` (RFC 3986, userinfo).
USERINFO = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)(?P<secret>[^/\s\"']+)@")
# npm's and apt's own ways to write one.
ASSIGNED = re.compile(
    r"(?P<key>_authToken|_password|_auth|\bpassword)(?P<sep>\s*=\s*|\s+)(?P<secret>[^\s\"']+)",
    re.IGNORECASE,
)


def has_credentials(text: str) -> bool:
    """Whether the text holds a password or token in one of the known forms."""
    return bool(USERINFO.search(text) or ASSIGNED.search(text))


def redacted(text: str) -> str:
    """The text with `***` for every credential."""
    text = USERINFO.sub(lambda found: f"{found['scheme']}***@", text)
    return ASSIGNED.sub(lambda found: f"{found['key']}{found['sep']}***", text)
