"""Which mirror serves an archive: `[sources]`, else the host's apt, else mmdebstrap's default.

dsvm names no mirror itself, and what it finds here never enters the lock: a locked file is named
by its archive and suite and its path below the mirror.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from dsvm import scratch
from dsvm.catalog.model import Archive, Base
from dsvm.errors import DsvmError
from dsvm.programs import ProgramFailed, run

_INDEX = re.compile(r"'(?P<mirror>[^']+?)/*/dists/[^']*/InRelease'")
_AUTH = re.compile(r"machine\s+(\S+)\s+login\s+(\S+)\s+password\s+(\S+)")
_DEB_LINE = re.compile(r"^deb (?:\[[^]]*\] )?(\S+) ", re.MULTILINE)


def mirrors(base: Base, sources: Mapping[str, str]) -> dict[str, str]:
    """The address of each archive of the base, without a slash at its end.

    Raises `DsvmError` when none is known.
    """
    return {archive.name: _mirror(archive, base, sources) for archive in base.archives}


def without_credentials(url: str) -> str:
    """The address without user and password: what may be shown and compared."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def apt_auth(mirrors: Iterable[str]) -> str:
    """The mirrors' credentials as an auth.conf of apt, which alone keeps them out of its output."""
    lines = []
    for mirror in mirrors:
        parts = urlsplit(mirror)
        if parts.username:
            user, password = unquote(parts.username), unquote(parts.password or "")
            place = without_credentials(mirror)
            lines.append(f"machine {place} login {user} password {password}\n")
    return "".join(lines)


def _mirror(archive: Archive, base: Base, sources: Mapping[str, str]) -> str:
    named = sources.get(archive.name)
    if named:
        return named.rstrip("/")
    for mirror in (*host_mirrors(), *_of_mmdebstrap(base.suite)):
        if urlsplit(mirror).path.rstrip("/").rpartition("/")[2] == archive.like:
            return mirror
    raise DsvmError(
        f"no mirror of the archive `{archive.name}` is known",
        cause="neither apt nor mmdebstrap on this host names one",
        remedy=f"name one in dsvm.toml: [sources] {archive.name} = "
        f'"http://<mirror>/{archive.like}"',
    )


@cache
def host_mirrors() -> tuple[str, ...]:
    """Mirrors in the host's apt configuration, whatever format its files have."""
    try:
        listed = run(["apt-get", "--print-uris", "update"], check=False, timeout_s=60).stdout
    except ProgramFailed:
        return ()  # no apt here
    return tuple(_usable(match["mirror"] for match in _INDEX.finditer(listed)))


@cache
def _of_mmdebstrap(suite: str) -> tuple[str, ...]:
    """What mmdebstrap itself would use for the suite: its setup hook shows it, then stops it."""
    hook = 'cat "$1"/etc/apt/sources.list && exit 1'
    mode = "root" if os.geteuid() == 0 else "unshare"
    argv = ["mmdebstrap", f"--mode={mode}", "--variant=custom", "--format=null"]
    words = [*argv, f"--setup-hook={hook}", suite, "/dev/null"]
    try:
        # It leaves its folder behind when it is killed: ours is swept.
        with scratch.folder("mirrors") as place:
            shown = run(words, check=False, timeout_s=60, env={"TMPDIR": str(place)})
    except ProgramFailed:
        return ()
    return tuple(_usable(_DEB_LINE.findall(shown.stdout + shown.stderr)))


def _usable(found: Iterable[str]) -> Iterable[str]:
    for mirror in found:
        if mirror.startswith("mirror+file:"):
            yield from _listed_in(Path(mirror.removeprefix("mirror+file:")))
        elif mirror.startswith(("http://", "https://", "file:")):
            yield _with_credentials(mirror.rstrip("/"))


def _with_credentials(mirror: str) -> str:
    """The address with what the host's auth.conf says for it (apt_auth.conf(5))."""
    parts = urlsplit(mirror)
    if parts.username or parts.scheme == "file":
        return mirror
    for machine, login, password in _AUTH.findall(_host_auth()):
        scheme, _, place = machine.rpartition("://")
        # An entry without a scheme holds for https only: a password must not go out in clear.
        fits = (scheme or "https") == parts.scheme
        if fits and f"{parts.netloc}{parts.path}/".startswith(place.rstrip("/") + "/"):
            user = f"{quote(login, safe='')}:{quote(password, safe='')}"
            return urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc}"))
    return mirror


@cache
def _host_auth() -> str:
    files = [Path("/etc/apt/auth.conf"), *sorted(Path("/etc/apt/auth.conf.d").glob("*.conf"))]
    texts = []
    for file in files:
        with suppress(OSError):  # none, or only root may read it
            texts.append(file.read_text("utf-8", errors="replace"))
    return "\n".join(texts)


def _listed_in(file: Path) -> Iterable[str]:
    """Addresses of a mirror list (apt-transport-mirror(1)): one a line, best first."""
    try:
        lines = Path("/" + str(file).lstrip("/")).read_text("utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        if line.strip() and not line.startswith("#"):
            yield line.split()[0].rstrip("/")
