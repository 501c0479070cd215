"""`dsvm-guest env create`: a virtual environment of the user's own at ~/envs/NAME."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from dsvm.guest.places import ENVS, PYTHONS
from dsvm.guest.seedfile import NAME
from dsvm.guest.system import GuestError, run

UV = ENVS / "base" / "bin" / "uv"


def create(name: str, python: str | None) -> dict[str, str]:
    """Make it, with pip inside; the watcher makes it a kernel. Never touches one that exists.

    `venv` comes first because it needs no network; `uv` where this Python has no `ensurepip`.
    """
    if os.geteuid() == 0:
        raise GuestError("an environment belongs to a user: do this without sudo")
    if not NAME.fullmatch(name):
        raise GuestError(f"`{name}` cannot be a name: lower case letters, digits, hyphens")
    place = Path.home() / "envs" / name
    if place.exists():
        raise GuestError(f"{place} exists already")
    program = interpreter(python)
    try:
        _make(program, place)
    except GuestError:
        shutil.rmtree(place, ignore_errors=True)
        raise
    version = run(
        place / "bin" / "python", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"
    )
    return {"name": name, "path": str(place), "python": version.strip()}


def interpreter(version: str | None) -> Path:
    """The Python of that version (`3.11`); raises `GuestError` naming those that are there."""
    have = {path.name.removeprefix("python"): path for path in _interpreters()}
    wanted = version or run("/usr/bin/python3", "-c", _VERSION).strip()
    if wanted not in have:
        raise GuestError(f"no Python {wanted} in this machine; there are {', '.join(sorted(have))}")
    return have[wanted]


_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


def _interpreters() -> list[Path]:
    own = [path for path in Path("/usr/bin").glob("python3.*") if path.name[9:].isdigit()]
    return [*PYTHONS.glob("3.*/usr/bin/python3.*[0-9]"), *own]


def _make(program: Path, place: Path) -> None:
    try:
        run(program, "-m", "venv", place)
    except GuestError:
        if not UV.exists():
            raise
        shutil.rmtree(place, ignore_errors=True)
        run(UV, "venv", "--seed", "--python", program, place)
