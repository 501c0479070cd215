"""Makes wheels of packages that are published as source only, and runs nothing of them.

What a source archive holds is laid where the tool's folder says (`SourceOnly`); its PKG-INFO is the
wheel's METADATA. The same archive gives the same wheel, bit for bit.
"""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from typing import IO

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dsvm.catalog.model import SourceOnly
from dsvm.errors import DsvmError
from dsvm.lock.model import LockedEnvironment, PythonPackage
from dsvm.store import Store

SOURCES = ("source_only.py",)
_ABOUT = "PKG-INFO"
_WHEEL = "Wheel-Version: 1.0\nGenerator: dsvm\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_TIME = (2020, 1, 1, 0, 0, 0)
_ONE_MIB = 1024**2


@dataclass(frozen=True)
class Wheels:
    """The environment as it is installed: of wheels alone, and where those are that were made."""

    environment: LockedEnvironment
    made: dict[str, Path]


def wheels(environment: LockedEnvironment, store: Store, folder: Path) -> Wheels:
    """Make what is missing in `folder`. Raises `DsvmError` for an archive that is otherwise."""
    layouts = {canonicalize_name(one.package): one for one in environment.source_only}
    packages, made = [], {}
    for package in environment.packages:
        if layout := layouts.get(canonicalize_name(package.name)):
            folder.mkdir(exist_ok=True)
            package, path = _wheel(package, layout, store.get(package.sha256), folder)
            made[package.file] = path
        packages.append(package)
    return Wheels(environment.model_copy(update={"packages": tuple(packages)}), made)


def _wheel(
    package: PythonPackage, layout: SourceOnly, archive: Path, folder: Path
) -> tuple[PythonPackage, Path]:
    stem = f"{package.name.replace('-', '_')}-{package.version}"
    path = folder / f"{stem}-py3-none-any.whl"
    missing, taken = {*layout.files.values(), _ABOUT}, set[str]()
    # In the archive's own order: to go back in it means to unpack it anew.
    with tarfile.open(archive, "r|*") as tar, _Writer(path) as wheel:
        for member in tar:
            name = "/".join(PurePosixPath(member.name).parts[1:])
            content = tar.extractfile(member) if member.isfile() else None
            if content is None:
                continue
            if name == _ABOUT:
                about = _metadata(package, layout, content.read().decode())
                wheel.add(f"{stem}.dist-info/METADATA", io.BytesIO(about.encode()))
                missing.discard(_ABOUT)
            elif found := _place(name, layout):
                place, source = found
                if place in taken:
                    raise _otherwise(package, f"two of its files would lie at `{place}`")
                taken.add(place)
                wheel.add(place, content, executable=bool(member.mode & 0o100))
                missing.discard(source)
        wheel.add(f"{stem}.dist-info/WHEEL", io.BytesIO(_WHEEL.encode()))
        wheel.record(f"{stem}.dist-info/RECORD")
    if missing:
        raise _otherwise(package, f"there is no {', '.join(sorted(missing))} in it")
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    update = {"file": path.name, "sha256": digest, "size": path.stat().st_size}
    return package.model_copy(update=update), path


def _place(name: str, layout: SourceOnly) -> tuple[str, str] | None:
    """Where a file of the archive belongs, and by which of the layout's sources; the longest."""
    for place, source in sorted(layout.files.items(), key=lambda pair: -len(pair[1])):
        if (name == source or name.startswith(f"{source}/")) and ".." not in name.split("/"):
            return place + name.removeprefix(source), source
    return None


def _metadata(package: PythonPackage, layout: SourceOnly, text: str) -> str:
    """PKG-INFO with what the package requires; older ones do not tell it."""
    told: Message = HeaderParser().parsestr(text)
    needs = {str(Requirement(one)) for one in layout.needs}
    listed = [Requirement(one) for one in told.get_all("Requires-Dist", [])]
    always = {str(one) for one in listed if "extra" not in str(one.marker)}
    if listed and always != needs:
        differ = ", ".join(sorted(always ^ needs))
        raise _otherwise(package, f"what it requires is not what the tool says: {differ}")
    if listed:
        return text
    head, _, rest = text.partition("\n\n")
    lines = [head, *(f"Requires-Dist: {one}" for one in sorted(needs))]
    return "\n".join(lines) + f"\n\n{rest}"


def _otherwise(package: PythonPackage, cause: str) -> DsvmError:
    return DsvmError(
        f"no wheel can be made of `{package.file}`",
        cause=cause,
        remedy=f"change `source_only` of the tool that brings `{package.name}`, or ask for another "
        "version of it",
    )


class _Writer:
    """A zip whose bytes depend on what is added alone. Not packed: the layer is."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED)
        self._lines: list[str] = []

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def add(self, place: str, content: IO[bytes], *, executable: bool = False) -> None:
        info = zipfile.ZipInfo(place, _TIME)
        info.external_attr = (0o100755 if executable else 0o100644) << 16
        digest, size = hashlib.sha256(), 0
        with self._zip.open(info, "w", force_zip64=True) as out:
            while part := content.read(_ONE_MIB):
                out.write(part)
                digest.update(part)
                size += len(part)
        shown = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
        self._lines.append(f"{place},sha256={shown},{size}\n")

    def record(self, place: str) -> None:
        text = "".join([*self._lines, f"{place},,\n"])
        self._zip.writestr(zipfile.ZipInfo(place, _TIME), text)
