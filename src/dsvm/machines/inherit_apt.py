"""apt's part of what a machine inherits: mirrors for its own suites, proxies, credentials."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from dsvm.catalog.model import Archive, Base
from dsvm.errors import DsvmError
from dsvm.lock.mirrors import mirrors, without_credentials
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
_LOGIN = re.compile(r"machine\s+(?P<host>\S+)\s+login\s+(?P<login>\S+)\s+password\s+(?P<word>\S+)")


def collect(base: Base, sources: Mapping[str, str], found: Inherited) -> None:
    """Add sources.list, apt.conf and auth.conf to what is inherited."""
    _settings(found)
    try:
        known = mirrors(base, sources)
    except DsvmError:
        return  # the machine keeps its distribution's own
    stanzas, logins = [], []
    for archive in base.archives:
        mirror = known[archive.name]
        if is_host_only(mirror):
            found.leave_out(f"apt source {archive.name}", mirror)
            continue
        stanzas.append(_stanza(archive, base, without_credentials(mirror)))
        logins += _logins(mirror)
    if len(stanzas) != len(base.archives):
        return
    found.files[SOURCES] = HEAD + "\n" + "\n".join(stanzas)
    found.files[OLD_SOURCES] = f"# See {SOURCES}\n"
    if logins:
        found.files[PASSWORDS] = HEAD + "".join(dict.fromkeys(logins))


def _stanza(archive: Archive, base: Base, mirror: str) -> str:
    """One source in the format of sources.list(5), deb822 style."""
    return (
        f"Types: deb\nURIs: {mirror}\nSuites: {' '.join(archive.suites)}\n"
        f"Components: {' '.join(archive.components)}\nSigned-By: {base.keyring}\n"
    )


def _logins(mirror: str) -> list[str]:
    """Lines of apt_auth.conf(5) for the mirror: out of its address, else the host's own."""
    parts = urlsplit(mirror)
    place = (parts.netloc.rpartition("@")[2]) + parts.path
    if parts.username:
        user, word = unquote(parts.username), unquote(parts.password or "")
        return [f"machine {parts.scheme}://{place} login {user} password {word}\n"]
    return [
        f"machine {entry['host']} login {entry['login']} password {entry['word']}\n"
        for file in _password_files()
        for entry in _LOGIN.finditer(_text(file))
        if place.startswith(entry["host"].rpartition("://")[2])
    ]


def _password_files() -> list[Path]:
    return [Path("/etc/apt/auth.conf"), *sorted(Path("/etc/apt/auth.conf.d").glob("*.conf"))]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


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
