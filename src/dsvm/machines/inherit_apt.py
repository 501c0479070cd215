"""apt's part of what a machine inherits: mirrors for its own suites, proxies, credentials."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dsvm.catalog.model import Archive, Base
from dsvm.lock.mirrors import apt_auth, host_mirrors, without_credentials
from dsvm.machines.hostonly import is_host_only
from dsvm.programs import ProgramFailed, run

if TYPE_CHECKING:
    from dsvm.machines.inherit import Inherited

SOURCES = "/etc/apt/sources.list.d/debian.sources"
OLD_SOURCES = "/etc/apt/sources.list"
SETTINGS = "/etc/apt/apt.conf.d/90dsvm"
PASSWORDS = "/etc/apt/auth.conf.d/90dsvm.conf"
HEAD = "# Inherited from the host by dsvm ([network] inherit); written anew at each start.\n"
_PROXY = re.compile(r'^Acquire::(?:http|https|ftp)::Proxy(?:::\S+)? "(?P<value>[^"]*)";$')
_KEPT = re.compile(r"^Acquire::(?:Check-Valid-Until|Check-Date|Retries|https?::Timeout) ")


def collect(base: Base, sources: Mapping[str, str], found: Inherited) -> None:
    """Add sources.list, apt.conf and auth.conf to what is inherited.

    A machine whose host names no mirror for one of its archives keeps its distribution's own.
    """
    _settings(found)
    known = {archive.name: _mirror(archive, sources) for archive in base.archives}
    for name, mirror in known.items():
        if mirror and is_host_only(mirror):
            found.leave_out(f"apt source {name}", mirror)
            known[name] = None
    named = [mirror for mirror in known.values() if mirror]
    if len(named) != len(base.archives):
        return
    stanzas = [
        _stanza(archive, base, without_credentials(mirror))
        for archive, mirror in zip(base.archives, named, strict=True)
    ]
    found.files[SOURCES] = HEAD + "\n" + "\n".join(stanzas)
    found.files[OLD_SOURCES] = f"# See {SOURCES}\n"
    if logins := apt_auth(named):
        found.files[PASSWORDS] = HEAD + logins


def _mirror(archive: Archive, sources: Mapping[str, str]) -> str | None:
    """`[sources]`, else the host's; not mmdebstrap's default, which takes a second to ask for and
    is what the machine has anyway."""
    if archive.name in sources:
        return sources[archive.name].rstrip("/")
    return next(
        (one for one in host_mirrors() if urlsplit(one).path.rpartition("/")[2] == archive.like),
        None,
    )


def _stanza(archive: Archive, base: Base, mirror: str) -> str:
    """One source in the format of sources.list(5), deb822 style."""
    return (
        f"Types: deb\nURIs: {mirror}\nSuites: {' '.join(archive.suites)}\n"
        f"Components: {' '.join(archive.components)}\nSigned-By: {base.keyring}\n"
    )


def _settings(found: Inherited) -> None:
    """Proxies of apt itself, else the environment's: `sudo apt` does not see variables."""
    lines, has_proxy = [], False
    for line in _dump():
        if proxy := _PROXY.match(line):
            if proxy["value"] not in ("DIRECT", "false", "") and is_host_only(proxy["value"]):
                found.leave_out("apt proxy", proxy["value"])
                continue
            has_proxy = True
            lines.append(line)
        elif _KEPT.match(line):
            lines.append(line)
    if not has_proxy:
        for scheme in ("http", "https"):
            if value := found.environment.get(f"{scheme}_proxy"):
                lines.append(f'Acquire::{scheme}::Proxy "{value}";')
    if lines:
        found.files[SETTINGS] = HEAD.replace("#", "//") + "\n".join(lines) + "\n"


def _dump() -> list[str]:
    try:
        return run(["apt-config", "dump"], check=False, timeout_s=30).stdout.splitlines()
    except ProgramFailed:
        return []  # no apt here
