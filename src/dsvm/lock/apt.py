"""Resolves OS packages by apt itself, in a root of its own that knows nothing of the host's.

cache/apt/<key>/        one root for a base and its mirrors (0700: mirrors may hold credentials)
  apt.conf              all that apt is told; the host's `Acquire` settings (proxies) are copied
  sources.list          the base's suites, trusted by the base's own keyring only
  auth.conf             the mirrors' credentials
  lists/                signed indexes; apt verifies them when it fetches them
  status                empty: everything is to be installed
  lock                  flock: one apt at a time

What apt would install into an empty tree is what mmdebstrap installs: essential and required
packages (`FOUNDATION`), what was asked for, and what these depend on, without recommendations.
"""

from __future__ import annotations

import difflib
import hashlib
import math
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cmp_to_key
from pathlib import Path
from urllib.parse import unquote

from filelock import FileLock

from dsvm.catalog.model import Base
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.lock.debversion import compare
from dsvm.lock.mirrors import apt_auth, without_credentials
from dsvm.lock.model import OsPackage
from dsvm.patience import LONGER, patient
from dsvm.programs import ProgramFailed, TimedOut, run

FRESH_S = 600.0
_TIMEOUT_S = 900.0
_SILENCE_S = 15.0
ESSENTIAL = ("?essential",)
FOUNDATION = (*ESSENTIAL, "?priority(required)", "apt")
EVERY = "*"
_order = cmp_to_key(compare)
_URI = re.compile(r"^'(?P<uri>[^']+)' (?P<file>\S+) (?P<size>\d+) SHA256:(?P<sha256>\S+)$")
_UNKNOWN = re.compile(r"^E: (?:Unable to locate package|Couldn't find any package by \S+) (\S+)$")
_NO_CANDIDATE = re.compile(r"^E: Package '(\S+)' has no installation candidate$")


class UnknownPackage(DsvmError):
    """The base has no OS package of that name."""


@dataclass(frozen=True)
class AptRoot:
    """A private apt root for one base. Make it with `open_root`."""

    base: Base
    folder: Path
    mirrors: Mapping[str, str]
    architecture: str
    log: Path

    def update(self, *, at_once: bool = False) -> None:
        """Fetch the signed indexes unless they are fresh (`FRESH_S` seconds) and not `at_once`.

        Raises `DsvmError` when a mirror is not reached or a signature is not good.
        """
        stamp = self.folder / "updated"
        with self._locked():
            if not at_once and stamp.exists() and time.time() - stamp.stat().st_mtime < FRESH_S:
                return
            try:
                stamp.unlink(missing_ok=True)  # killed midway, the indexes are of two times
                # Without it a failed fetch is only a warning, and old indexes would be taken.
                self._apt("apt-get", "update", "--error-on=any")
            except ProgramFailed as failed:
                raise self._update_failed(failed) from failed
            stamp.touch()

    def resolve(
        self, packages: Sequence[str], pins: Mapping[str, str] | None = None
    ) -> tuple[OsPackage, ...]:
        """Every package that installing `packages` into an empty tree would bring, by name.

        `pins` are versions to keep where the mirror still has them and they fit; that of `EVERY`
        is taken of each package that has it. Raises
        `UnknownPackage`, or `DsvmError` when the packages do not go together.
        """
        with self._locked():
            try:
                planned = self._plan(packages, pins or {})
            except ProgramFailed as failed:
                if not pins:
                    raise self._install_failed(failed) from failed
                planned = None
            found = [match for line in planned or () if (match := _URI.match(line))]
            suites = self._suites([match["file"].split("_")[0] for match in found])
        if planned is None:
            return self.resolve(packages)  # something new needs something newer
        return tuple(
            sorted(
                (self._package(match, suites) for match in found),
                key=lambda package: (package.name, package.architecture),
            )
        )

    def versions(self, package: str) -> tuple[tuple[str, str], ...]:
        """(version, `<archive>/<suite>`) of a package: what apt would take, then newest first."""
        with self._locked():
            (self.folder / "preferences").write_text("")
            suites = self._suites([package])
            told = self._apt("apt-cache", "policy", package)
        taken = re.search(r"Candidate: (\S+)", told)
        archives = {suite: one.name for one in self.base.archives for suite in one.suites}
        newest = sorted(
            suites,
            key=lambda known: (known[1] == (taken and taken[1]), _order(known[1])),
            reverse=True,
        )
        return tuple(
            (version, f"{archives[suites[name, version]]}/{suites[name, version]}")
            for name, version in newest
        )

    def _plan(self, packages: Sequence[str], pins: Mapping[str, str]) -> list[str]:
        (self.folder / "preferences").write_text(
            "".join(
                f"Package: {'/./' if name == EVERY else name}\n"
                f"Pin: version {version}\nPin-Priority: 1001\n\n"
                for name, version in sorted(pins.items())
            )
        )
        return self._apt("apt-get", "install", "-qq", "--print-uris", *packages).splitlines()

    def dates(self) -> dict[str, str]:
        """When each suite's index was made, `<archive>/<suite>`: UTC as `20261121T091544Z`."""
        found = {}
        for archive in self.base.archives:
            for suite in archive.suites:
                name = _list_name(self.mirrors[archive.name], suite)
                text = (self.folder / "lists" / name).read_text("utf-8", errors="replace")
                made = re.search(r"^Date: (.+)$", text, re.MULTILINE)
                if made:
                    when = parsedate_to_datetime(made[1].replace("UTC", "+0000"))
                    found[f"{archive.name}/{suite}"] = when.strftime("%Y%m%dT%H%M%SZ")
        return found

    def _package(self, match: re.Match[str], suites: Mapping[tuple[str, str], str]) -> OsPackage:
        name, version, architecture = match["file"].removesuffix(".deb").split("_")
        version = unquote(version)
        uri = without_credentials(match["uri"])
        archive, mirror = next(
            (archive, mirror)
            for archive, address in self.mirrors.items()
            if uri.startswith((mirror := without_credentials(address)) + "/")
        )
        return OsPackage(
            name=name,
            version=version,
            architecture=architecture,
            sha256=match["sha256"],
            size=int(match["size"]),
            source=f"{archive}/{suites[name, version]}",
            path=unquote(uri.removeprefix(mirror).lstrip("/")),
        )

    def _suites(self, names: Iterable[str]) -> dict[tuple[str, str], str]:
        """Which suite has (name, version); of several the first that the base names."""
        order = [suite for archive in self.base.archives for suite in archive.suites]
        found: dict[tuple[str, str], str] = {}
        for line in self._apt("apt-cache", "madison", *names).splitlines():
            name, version, where = (part.strip() for part in line.split("|"))
            suite = where.split()[1].partition("/")[0]
            best = found.get((name, version), suite)
            found[name, version] = min(suite, best, key=order.index)
        return found

    def _apt(self, *words: str) -> str:
        env = {"APT_CONFIG": str(self.folder / "apt.conf"), "LC_ALL": "C.UTF-8"}
        return run(words, log=self.log, env=env, timeout_s=patient(_TIMEOUT_S)).stdout

    def _locked(self) -> FileLock:
        return FileLock(self.folder / "lock")

    def _update_failed(self, failed: ProgramFailed) -> DsvmError:
        late = isinstance(failed, TimedOut)  # a mirror that drips: to apt it is not silent
        faults = [line for line in failed.output.splitlines() if line.startswith(("E:", "W:"))]
        # apt's word for an index that is something else entirely, such as a login page.
        signature = "NOSPLIT" not in failed.output and any(
            word in failed.output for word in ("NO_PUBKEY", "not signed", "BADSIG")
        )
        remedy = (
            f"install a newer `{self.base.keyring_package}`"
            if signature
            else f"see that the mirror is reached, or name another one in [sources]: "
            f"{', '.join(self.mirrors)}" + (f"; {LONGER}" if late else "")
        )
        return DsvmError(
            f"the package indexes of {self.base.title} could not be fetched",
            cause="\n".join(faults[:6] or ([failed.what] if late else [])) or failed.cause,
            remedy=remedy,
            log=self.log,
        )

    def _install_failed(self, failed: ProgramFailed) -> DsvmError:
        lines = failed.output.splitlines()
        missing = [
            m[1] for line in lines if (m := _UNKNOWN.match(line) or _NO_CANDIDATE.match(line))
        ]
        if not missing:
            return DsvmError(
                f"these OS packages do not go together on {self.base.title}",
                cause="\n".join(lines[-12:]),
                log=self.log,
            )
        known = self._apt("apt-cache", "pkgnames").split()
        near = {name: difflib.get_close_matches(name, known, n=1) for name in missing}
        meant = [f"`{found[0]}` for `{name}`" for name, found in near.items() if found]
        return UnknownPackage(
            f"{self.base.title} has no OS package " + ", ".join(f"`{name}`" for name in missing),
            remedy=f"did you mean {', '.join(meant)}?" if meant else "remove it from `packages`",
        )


def open_root(base: Base, mirrors: Mapping[str, str], architecture: str, home: Home) -> AptRoot:
    """The apt root of that base and those mirrors below the home's cache, made if it is not there.

    Raises `DsvmError` when the base's keyring is not on this host.
    """
    if not Path(base.keyring).is_file():
        raise DsvmError(
            f"the keys of {base.title} are not on this host",
            cause=f"{base.keyring} does not exist",
            remedy=f"install `{base.keyring_package}`",
        )
    sources = "".join(
        f"deb [arch={architecture} signed-by={base.keyring}] "
        f"{without_credentials(mirrors[archive.name])} {suite} {' '.join(archive.components)}\n"
        for archive in base.archives
        for suite in archive.suites
    )
    auth = apt_auth(mirrors.values())
    key = hashlib.sha256((sources + auth).encode()).hexdigest()[:16]
    folder = home.cache / "apt" / f"{base.name}-{key}"
    for part in ("lists/partial", "archives/partial", "empty"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    root = AptRoot(base, folder, mirrors, architecture, home.logs / f"apt-{base.name}.log")
    with root._locked():
        (folder / "status").touch()
        (folder / "sources.list").write_text(sources)
        (folder / "auth.conf").write_text(auth)
        (folder / "apt.conf").write_text(_config(folder, architecture))
    return root


def _config(folder: Path, architecture: str) -> str:
    """apt.conf(5). `Dir::Etc` leads away from the host's files.

    apt itself tries a dead mirror four times, pausing longer each time; the host's own `Acquire`
    settings come after ours and win.
    """
    seconds = math.ceil(patient(_SILENCE_S))
    return f"""
Dir::State "{folder}";
Dir::State::lists "{folder}/lists";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}";
Dir::Cache::archives "{folder}/archives";
Dir::Etc "{folder}/empty";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "{folder}/empty";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "{folder}/empty";
Dir::Etc::preferences "{folder}/preferences";
Dir::Etc::preferencesparts "{folder}/empty";
Dir::Etc::trusted "/dev/null";
Dir::Etc::trustedparts "{folder}/empty";
Dir::Etc::netrc "{folder}/auth.conf";
Dir::Etc::netrcparts "{folder}/empty";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
APT::Get::Assume-Yes "true";
Debug::NoLocking "true";
Acquire::Retries "1";
Acquire::http::Timeout "{seconds}";
Acquire::https::Timeout "{seconds}";
{_acquire()}
Acquire::ForceHash "sha256";
Acquire::Languages "none";
"""


def _acquire() -> str:
    """The host's settings of how to fetch; not what: indexes of its own would be fetched too."""
    lines = run(["apt-config", "dump", "Acquire"]).stdout.splitlines()
    what = ("Acquire::IndexTargets", "Acquire::Languages", "Acquire::Changelogs", "Acquire::cdrom")
    return "\n".join(line for line in lines if not line.startswith(what))


def _list_name(mirror: str, suite: str) -> str:
    """apt's name of a suite's index file: the address without scheme and user, escaped."""
    address = without_credentials(mirror).partition(":")[2].lstrip("/")
    if mirror.startswith("file:"):
        address = "/" + address
    return f"{address}/dists/{suite}".replace("_", "%5f").replace("/", "_") + "_InRelease"
