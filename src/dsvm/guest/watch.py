"""Makes every Python environment below home a Jupyter kernel, and takes it away when it goes.

Runs as the user. An environment is a folder with `bin/python` and either `pyvenv.cfg` (venv, uv,
virtualenv) or `conda-meta/` (conda). Looked at are folders down to `DEPTH` levels, hidden ones only
where environments use to be; in between it sleeps in the kernel until a name there comes or goes.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dsvm.guest import kernels
from dsvm.guest.inotify import Inotify, LimitReached
from dsvm.guest.places import ENVS, KERNELS
from dsvm.guest.system import own_home

LAUNCHER = "/usr/lib/dsvm/kernel-launcher.py"
DEPTH = 5
MOST_FOLDERS = 8192
SETTLE_S = 0.5
RESCAN_S = 10.0
HIDDEN = {".venv", ".virtualenvs", ".conda", ".local", ".pyenv", ".mamba", ".venvs"}
NEVER = {"node_modules", "__pycache__", "site-packages", "share", "Trash"}
# Folder names that say nothing of the project the environment is for.
NAMELESS = {".venv", "venv", "env", ".env", ".conda"}


@dataclass(frozen=True)
class Found:
    """One environment of the user's."""

    path: Path
    python: str
    has_ipykernel: bool
    lender: Path | None


def watch() -> None:
    """Watch for ever."""
    home = own_home()
    place = target(home)
    while True:
        # Watching comes first: what changes during the look is then not missed.
        changes = _watched(home)
        begun = time.monotonic()
        once(home, place)
        took = time.monotonic() - begun
        _sleep(changes)
        # Environments are made in many steps; and a busy home shall not keep us busy.
        time.sleep(max(SETTLE_S, 20 * took))


def target(home: Path, system: Path = KERNELS) -> Path:
    """The machine's kernel folder when it is ours to write (the login's), else one in home."""
    return system if os.access(system, os.W_OK) else home / ".local/share/jupyter/kernels"


def once(home: Path, place: Path, *, envs: Path = ENVS) -> None:
    """Make the kernels in `place` those of the environments that are there now."""
    found = {str(one.path): one for one in environments(home, envs=envs)}
    have = kernels.ours(place)
    mine = {
        spec["metadata"]["dsvm"]["environment"]: name
        for name, spec in have.items()
        if spec["metadata"]["dsvm"]["kind"] == "own" and (place / name).stat().st_uid == os.getuid()
    }
    for path in mine.keys() - found.keys():
        shutil.rmtree(place / mine[path], ignore_errors=True)
    taken = {entry.name for entry in place.glob("*")} | _names_of_machine()
    for path, one in found.items():
        name = mine.get(path) or free_name(one.path, taken)
        taken.add(name)
        kernels.save(place, name, _spec(one), uid=os.getuid(), gid=os.getgid())


def free_name(path: Path, taken: set[str]) -> str:
    """The folder's (or its project's) name; with a part of the path's digest where it is taken."""
    plain = path.parent.name if path.name in NAMELESS else path.name
    name = re.sub(r"[^a-z0-9._-]+", "-", plain.lower()).strip("-.") or "env"
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()
    return name if name not in taken else f"{name}-{digest[:8]}"


def environments(home: Path, *, envs: Path = ENVS) -> Iterator[Found]:
    """Every environment below home."""
    for folder in folders(home):
        if is_environment(folder) and (version := _version(folder)):
            own = _ipykernel(folder, version)
            yield Found(folder, version, own, None if own else lender(version, envs))


def folders(home: Path) -> list[Path]:
    """The folders worth looking at, nearest first; inside an environment there are no others."""
    found, level = [home], [home]
    for _ in range(DEPTH):
        level = [sub for folder in level for sub in _below(folder)]
        found += level[: MOST_FOLDERS - len(found)]
        if len(found) >= MOST_FOLDERS:
            break
    return found


def _below(folder: Path) -> list[Path]:
    if (folder / "pyvenv.cfg").exists() or (folder / "conda-meta").exists():
        # conda keeps the environments of a base environment below it; `bin` may be yet to come.
        return [one for one in (folder / "bin", folder / "envs") if one.is_dir()]
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if _worth(entry))
    except OSError:
        return []


def _worth(entry: os.DirEntry[str]) -> bool:
    hidden = entry.name.startswith(".") and entry.name not in HIDDEN
    if hidden and not Path(entry.path, "pyvenv.cfg").exists():
        return False
    return entry.name not in NEVER and entry.is_dir(follow_symlinks=False)


def is_environment(folder: Path) -> bool:
    marked = (folder / "pyvenv.cfg").is_file() or (folder / "conda-meta").is_dir()
    return marked and (folder / "bin" / "python").exists()


def lender(version: str, envs: Path = ENVS) -> Path | None:
    """The site-packages of a machine's environment that has ipykernel for this Python."""
    order = sorted(envs.glob("*"), key=lambda path: (path.name != "jupyter", path.name))
    for env in order:
        if _ipykernel(env, version):
            return env / "lib" / f"python{version}" / "site-packages"
    return None


def _ipykernel(prefix: Path, version: str) -> bool:
    return (prefix / "lib" / f"python{version}" / "site-packages" / "ipykernel").is_dir()


def _version(folder: Path) -> str | None:
    names = (path.name.removeprefix("python") for path in sorted(folder.glob("lib/python3.*")))
    return next((name for name in names if re.fullmatch(r"3\.\d+", name)), None)


def _spec(one: Found) -> kernels.Spec:
    project = one.path.parent.name if one.path.name in NAMELESS else one.path.name
    shown = f"{project} (Python {one.python})"
    if not one.has_ipykernel and one.lender is None:
        shown += " - needs: pip install ipykernel"
    about = {"kind": "own", "environment": str(one.path), "python": one.python}
    argv = [f"{one.path}/bin/python", LAUNCHER]
    return kernels.python_spec(argv, shown, str(one.path), about)


def _names_of_machine() -> set[str]:
    return {entry.name for entry in KERNELS.glob("*")}


def _watched(home: Path) -> Inotify | None:
    """Notifications of all that matters; None where the kernel has no more of them for us."""
    try:
        notify = Inotify()
    except LimitReached:
        return None
    try:
        for folder in folders(home):
            notify.add(folder)
            if is_environment(folder):
                notify.add(folder / "bin")
                notify.add(folder / "lib" / f"python{_version(folder)}" / "site-packages")
    except LimitReached:
        notify.close()
        return None
    return notify


def _sleep(changes: Inotify | None) -> None:
    if changes is None:
        time.sleep(RESCAN_S)
        return
    changes.wait(None)
    changes.close()
