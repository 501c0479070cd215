"""A conda channel with real packages: the machine's own Python, and wheels of PyPI.

As conda-forge does, what is Python only is packed once for any architecture (`noarch: python`): the
installer puts it below the Python that was solved, and writes its commands.
"""

from __future__ import annotations

import configparser
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from email.parser import BytesParser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dsvm.build.package_set import PackageSet
from dsvm.home import Home
from dsvm.lock import fetch_all
from dsvm.lock.model import Lock, PythonPackage
from dsvm.store import Store
from tests.system.conda_support import PLACEHOLDER, Package, write_index, write_package

PYTHON = ("python3.13-minimal", "libpython3.13-minimal", "libpython3.13-stdlib")
INSIDE = "lib/python3.13"
THERE = {"python_version": "3.13", "python_full_version": "3.13.0"}


def channel(folder: Path, platform: str, environment: str, lock: Lock, home: Home) -> None:
    """Pack an environment of the lock, and the OS's Python; a newer, empty Python is there, too."""
    fetch_all(lock, home)
    [packed] = [one for one in lock.environments if one.name == environment]
    store = Store(home.store)
    packages = [_python(lock, store, home), Package("python", "3.14.0")]
    packages += [_of_wheel(one, store) for one in packed.packages]
    for subdir in (platform, "noarch"):
        chosen = [one for one in packages if bool(one.noarch) == (subdir == "noarch")]
        written = [write_package(folder / subdir, one, level=1) for one in chosen]
        write_index(folder / subdir, *written)


def _python(lock: Lock, store: Store, home: Home) -> Package:
    """Debian's interpreter. It looks into `site-packages` only where it is told to."""
    found = PackageSet(tuple(one for one in lock.os.packages if one.name in PYTHON))
    usr = found.unpacked(store, home, home.root / "python.log") / "usr"
    library = usr / INSIDE
    files = {
        f"{INSIDE}/{file.relative_to(library)}": file.read_bytes()
        for file in sorted(library.rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts
    }
    program = (usr / "bin" / "python3.13").read_bytes()
    files |= {f"bin/{name}": program for name in ("python", "python3", "python3.13")}
    files[f"{INSIDE}/dist-packages/site.pth"] = f"{PLACEHOLDER}/{INSIDE}/site-packages\n".encode()
    version, _, _ = found.packages[0].version.partition("-")
    return Package("python", version, files)


def _of_wheel(locked: PythonPackage, store: Store) -> Package:
    with zipfile.ZipFile(store.get(locked.sha256)) as wheel:
        names = [name for name in wheel.namelist() if not name.endswith("/")]
        files = {name: wheel.read(name) for name in names if ".data/" not in name}
    about = {name.rpartition("/")[2]: data for name, data in files.items() if ".dist-info/" in name}
    package = Package(
        locked.name, locked.version, depends=["python >=3.13,<3.14", *_needs(about["METADATA"])]
    )
    if b"Root-Is-Purelib: true" not in about["WHEEL"]:
        return replace(package, files=_below(f"{INSIDE}/site-packages", files))
    commands = _commands(about.get("entry_points.txt", b""))
    below = _below("site-packages", files)
    return replace(package, files=below, noarch="python", entry_points=commands)


def _below(folder: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {f"{folder}/{name}": data for name, data in files.items()}


def _needs(metadata: bytes) -> Iterator[str]:
    """What it requires on this system, with the lower bounds, in conda's words."""
    for text in BytesParser().parsebytes(metadata).get_all("Requires-Dist", []):
        need = Requirement(text)
        if need.marker is None or need.marker.evaluate({**THERE, "extra": ""}):
            least = sorted(str(one) for one in need.specifier if one.operator == ">=")
            yield " ".join([canonicalize_name(need.name), ",".join(least)]).strip()


def _commands(entry_points: bytes) -> list[str]:
    said = configparser.ConfigParser(delimiters=("=",))
    said.read_string(entry_points.decode())
    found = said["console_scripts"] if said.has_section("console_scripts") else {}
    return [f"{name} = {place}" for name, place in found.items()]
