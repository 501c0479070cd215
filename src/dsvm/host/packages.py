"""The host's packages that dsvm needs: which are missing, and their installation by apt-get.

`packages.toml` is the data; engines add their own programs. What dsvm installed is recorded in
`$DSVM_HOME/host-packages.json`, so that `doctor` can list it.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from dsvm.engines.base import Engine
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.programs import ProgramFailed, run
from dsvm.progress import Progress

LISTS = Path("/var/lib/apt/lists")
INSTALL = "apt-get install -y --no-install-recommends"
LISTS_STALE_S = 24 * 3600
# apt-get waits this long for another holder of dpkg's lock, such as unattended upgrades.
DPKG_LOCK_TIMEOUT_S = 300
SYSTEM_PATHS = ("/usr/local/sbin", "/usr/sbin", "/sbin")


@dataclass(frozen=True)
class Need:
    """A program (or the file `path`), the package that brings it, and why dsvm needs it."""

    program: str
    package: str
    why: str
    path: Path | None = None

    @property
    def present(self) -> bool:
        if self.path:
            return self.path.exists()
        # A user's PATH often lacks the sbin folders, where some of these programs are.
        path = os.pathsep.join((os.environ.get("PATH", os.defpath), *SYSTEM_PATHS))
        return shutil.which(self.program, path=path) is not None


def needs(engine: Engine | None, *, root: bool) -> list[Need]:
    """All that a build and machines on `engine` need on this host."""
    text = resources.files("dsvm.host").joinpath("packages.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    groups = ["build", "machines"] if root else ["build", "machines", "unprivileged"]
    found = [
        Need(program, entry["package"], entry["why"], _path(entry))
        for group in groups
        for program, entry in data[group].items()
    ]
    if engine is not None:
        known = {need.program for need in found}
        found += [
            Need(program, package, f"runs machines with {engine.name}", _file(program))
            for program, package in sorted(engine.programs().items())
            if program not in known
        ]
    return found


def missing(wanted: Sequence[Need]) -> list[Need]:
    return [need for need in wanted if not need.present]


def ensure(
    wanted: Sequence[Need],
    home: Home,
    progress: Progress,
    *,
    agree: Callable[[str], bool],
    root: bool | None = None,
) -> list[str]:
    """Install what is missing of `wanted`; return the packages installed.

    Says first what and why; `agree` is asked before the host is changed. Raises `DsvmError` with
    the administrator's one line when this is not root or the host has no apt-get.
    """
    lacking = missing(wanted)
    if not lacking:
        return []
    packages = sorted({need.package for need in lacking})
    line = f"{INSTALL} {' '.join(packages)}"
    for need in lacking:
        progress.note(f"needs {need.package} ({need.program}): {need.why}")
    is_root = os.geteuid() == 0 if root is None else root
    if not is_root or shutil.which("apt-get") is None:
        raise DsvmError(
            f"this host lacks {_counted(packages)} that dsvm needs",
            cause="installing them takes root" if not is_root else "the host has no apt-get",
            remedy=f"sudo {line}" if not is_root else f"install: {' '.join(packages)}",
        )
    if not agree(f"install {', '.join(packages)} on this host?"):
        raise DsvmError("nothing was installed", remedy=f"to install it yourself: {line}")
    _install(packages, home, progress)
    still = missing(lacking)
    if still:
        raise DsvmError(
            "apt-get ended well, but programs are still missing: "
            + ", ".join(need.program for need in still),
            log=_log(home),
        )
    _record(home, lacking)
    return packages


def installed_by_dsvm(home: Home) -> dict[str, str]:
    """Package -> why, of all that dsvm has ever installed on this host for this home."""
    try:
        recorded = json.loads(_record_file(home).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {str(package): str(why) for package, why in recorded.items()}


def _install(packages: Sequence[str], home: Home, progress: Progress) -> None:
    log = _log(home)
    apt: list[str | Path] = ["apt-get", "-o", f"DPkg::Lock::Timeout={DPKG_LOCK_TIMEOUT_S}"]
    install = [*apt, "install", "-y", "--no-install-recommends", *packages]
    env = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    with progress.step("host packages", len(packages), "items") as step:
        if _interrupted():
            step.say("finishing an interrupted dpkg")
            run(["dpkg", "--configure", "-a"], log=log, env=env, outlive=True)
        fresh = _lists_are_stale(packages)
        if fresh:
            _update(apt, log, env)
        step.say(f"installing {' '.join(packages)}")
        try:
            run(install, log=log, env=env, outlive=True)
        except ProgramFailed:
            if fresh:
                raise
            # The lists were recent, but a mirror has moved on since: once more with new ones.
            _update(apt, log, env)
            run(install, log=log, env=env, outlive=True)
        step.advance(len(packages))


def _update(apt: Sequence[str | Path], log: Path, env: Mapping[str, str]) -> None:
    # Status not asked: one unreachable source of several need not hide the packages.
    run([*apt, "update"], log=log, env=env, check=False, outlive=True)


def _lists_are_stale(packages: Sequence[str]) -> bool:
    """Lists are missing, older than a day, or do not know one of the packages."""
    # The lists themselves carry the archive's times; their folders tell when apt last looked.
    looked = [f.stat().st_mtime for f in (LISTS, LISTS / "partial") if f.is_dir()]
    empty = not any(LISTS.glob("*Packages*"))
    if empty or time.time() - max(looked) > LISTS_STALE_S:
        return True
    known = run(["apt-cache", "policy", *packages], check=False, env={"LC_ALL": "C"}).stdout
    return known.count("Candidate: ") - known.count("Candidate: (none)") < len(packages)


def _interrupted() -> bool:
    updates = Path("/var/lib/dpkg/updates")
    return updates.is_dir() and any(updates.iterdir())


def _record(home: Home, lacking: Sequence[Need]) -> None:
    merged = installed_by_dsvm(home) | {need.package: need.why for need in lacking}
    file = _record_file(home)
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(json.dumps(merged, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    partial.replace(file)


def _record_file(home: Home) -> Path:
    return home.root / "host-packages.json"


def _log(home: Home) -> Path:
    return home.logs / "host-packages.log"


def _path(entry: Mapping[str, str]) -> Path | None:
    return Path(entry["path"]) if "path" in entry else None


def _file(program: str) -> Path | None:
    return Path(program) if program.startswith("/") else None


def _counted(packages: Sequence[str]) -> str:
    return "a package" if len(packages) == 1 else f"{len(packages)} packages"
