"""Reads uv's pylock.toml (PEP 751) and chooses of each package the wheel that fits best."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from dsvm.errors import DsvmError

_MACHINE = {"amd64": "x86_64", "arm64": "aarch64"}
_LEGACY = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}


@dataclass(frozen=True)
class Target:
    """The Python and the system that wheels are chosen for; `glibc` as (2, 41)."""

    python: tuple[int, int]
    glibc: tuple[int, int]
    architecture: str

    @property
    def machine(self) -> str:
        return _MACHINE[self.architecture]

    @property
    def uv_platform(self) -> str:
        """uv's name of it; the newest glibc that uv knows is 2.40, its oldest choice here 2.28."""
        minor = min(self.glibc[1], 40)
        if minor < 31:
            return f"{self.machine}-manylinux_2_{28 if minor >= 28 else 17}"
        return f"{self.machine}-manylinux_2_{minor}"

    def tags(self) -> list[Tag]:
        """What this target takes, best first."""
        platforms = []
        for minor in range(self.glibc[1], 4, -1):
            platforms.append(f"manylinux_2_{minor}_{self.machine}")
            if legacy := _LEGACY.get((2, minor)):
                platforms.append(f"{legacy}_{self.machine}")
        platforms.append(f"linux_{self.machine}")
        interpreter = "cp{}{}".format(*self.python)
        return [
            *cpython_tags(self.python, platforms=platforms),
            *compatible_tags(self.python, interpreter, platforms),
        ]


@dataclass(frozen=True)
class Wheel:
    """One wheel of a resolution, or a source archive that one is made of.

    `size` is None where the index does not tell it.
    """

    name: str
    version: str
    file: str
    sha256: str
    size: int | None
    url: str
    index: str | None


def read_pylock(path: Path, target: Target, source_only: Collection[str] = ()) -> list[Wheel]:
    """The wheels of the file, one a package, by name; of `source_only` packages the archives.

    Raises `DsvmError` for a package that has no fitting wheel with a sha256.
    """
    document = tomllib.loads(path.read_text("utf-8"))
    rank = {tag: place for place, tag in enumerate(target.tags())}
    packages: Sequence[Mapping[str, Any]] = document.get("packages", [])
    return [
        _wheel(package, package["sdist"], path.parent)
        if package["name"] in source_only
        else _best(package, rank, path.parent)
        for package in packages
    ]


def _best(package: Mapping[str, Any], rank: Mapping[Tag, int], folder: Path) -> Wheel:
    found: list[tuple[int, Wheel]] = []
    for entry in package.get("wheels", []):
        wheel = _wheel(package, entry, folder)
        try:
            tags = parse_wheel_filename(wheel.file)[3]
        except InvalidWheelFilename:
            continue
        places = [rank[tag] for tag in tags if tag in rank]
        if places and wheel.sha256:
            found.append((min(places), wheel))
    if not found:
        name, version = package["name"], package.get("version", "")
        raise DsvmError(
            f"`{name}` {version} has no wheel for this machine",
            cause="it comes as source only, from an address of its own, or without a sha256",
            remedy="ask for another version of it, or build its wheel and name a folder of wheels "
            "in pip's `find-links`",
        )
    return min(found, key=lambda pair: (pair[0], pair[1].file))[1]


def _wheel(package: Mapping[str, Any], entry: Mapping[str, Any], folder: Path) -> Wheel:
    url = entry.get("url") or (folder / entry["path"]).resolve().as_uri()
    parts = urlsplit(url)
    size = entry.get("size")
    if size is None and parts.scheme == "file":
        size = Path(unquote(parts.path)).stat().st_size
    return Wheel(
        name=package["name"],
        version=package["version"],
        file=entry.get("name") or unquote(parts.path).rpartition("/")[2],
        sha256=entry.get("hashes", {}).get("sha256", ""),
        size=size,
        url=url,
        index=package.get("index"),
    )
