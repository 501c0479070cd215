"""Reads .deb files and puts sets of them where programs find them. Needs no root.

A .deb is an `ar` archive (deb(5)): its member `control.tar.*` holds the file `control`, which is
one stanza of an archive's `Packages` index without `Filename`, `Size` and `SHA256`.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dsvm.errors import DsvmError
from dsvm.lock.model import OsPackage
from dsvm.programs import run

MERGED = ("bin", "lib", "lib64", "sbin")
_AR_MAGIC = b"!<arch>\n"
_AR_HEADER = 60


@dataclass(frozen=True)
class Deb:
    """A locked package and its file. `built` is when its maker built it, in Unix seconds."""

    package: OsPackage
    path: Path
    control: Mapping[str, str]
    built: int

    @property
    def depends(self) -> list[list[str]]:
        """Names it needs; of each inner list one is enough."""
        fields = (self.control.get(field, "") for field in ("Pre-Depends", "Depends"))
        groups = (group for field in fields for group in field.split(",") if group.strip())
        return [[_bare(name) for name in group.split("|")] for group in groups]

    @property
    def names(self) -> list[str]:
        """Its own name and what it provides."""
        provided = self.control.get("Provides", "").split(",")
        return [self.package.name, *(_bare(name) for name in provided if name.strip())]


def read(package: OsPackage, path: Path) -> Deb:
    """Read a package's control fields. Raises `DsvmError` if the file is no .deb."""
    try:
        with path.open("rb") as file:
            if file.read(len(_AR_MAGIC)) == _AR_MAGIC:
                for name, built, size in _members(file):
                    if name.startswith("control.tar"):
                        return Deb(package, path, _control(file.read(size)), built)
    except (tarfile.TarError, ValueError) as fault:
        raise _unreadable(package, path, str(fault)) from fault
    raise _unreadable(package, path, "it has no control.tar")


def closure(roots: Iterable[str], debs: Iterable[Deb]) -> list[Deb]:
    """The debs that `roots` need, by `Depends` and `Pre-Depends`, sorted by name.

    Of alternatives all that are in the set are taken: the lock has chosen already.
    """
    by_name: dict[str, list[Deb]] = {}
    for deb in debs:
        for name in deb.names:
            by_name.setdefault(name, []).append(deb)
    found: dict[str, Deb] = {}
    todo = list(roots)
    while todo:
        for deb in by_name.get(todo.pop(), []):
            if deb.package.name not in found:
                found[deb.package.name] = deb
                todo += [name for group in deb.depends for name in group]
    return [found[name] for name in sorted(found)]


def repository(debs: Iterable[Deb], suite: str, folder: Path) -> None:
    """Make a flat apt repository of exactly these debs: links to them, an index, a release file.

    mmdebstrap finds the essential packages by the release's code name.
    """
    folder.mkdir(parents=True)
    stanzas = []
    for deb in debs:
        name = f"{deb.package.name}_{deb.package.sha256[:16]}.deb"
        (folder / name).symlink_to(deb.path)
        stanzas.append(_stanza(deb, f"./{name}"))
    index = "\n".join(stanzas).encode()
    (folder / "Packages").write_bytes(index)
    (folder / "Release").write_text(
        f"Suite: {suite}\nCodename: {suite}\nDate: Thu, 01 Jan 1970 00:00:00 UTC\n"
        f"SHA256:\n {hashlib.sha256(index).hexdigest()} {len(index)} Packages\n"
    )


def unpack(debs: Iterable[Deb], into: Path, *, log: Path) -> None:
    """Unpack debs into one folder with merged /usr, as the present user; run no script."""
    for folder in (into, into / "usr", *(into / "usr" / name for name in MERGED)):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
    for name in MERGED:
        (into / name).symlink_to(f"usr/{name}")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda deb: _extract(deb, into, log), debs))


def files(deb: Deb, log: Path) -> list[str]:
    """Paths of the files (not folders) it brings, relative to the root."""
    pipe = 'dpkg-deb --fsys-tarfile "$1" | tar -t'
    listed = run(["bash", "-o", "pipefail", "-c", pipe, "list", deb.path], log=log).stdout
    names = (line.removeprefix("./") for line in listed.splitlines())
    return [name for name in names if name and not name.endswith("/")]


def is_deb(file: Path) -> bool:
    with file.open("rb") as archive:
        return archive.read(len(_AR_MAGIC)) == _AR_MAGIC


def to_tar(file: Path, tar: Path, *, log: Path) -> None:
    """Write the files that a .deb brings as a tar."""
    run(["bash", "-c", 'dpkg-deb --fsys-tarfile "$1" > "$2"', "to-tar", file, tar], log=log)


def _extract(deb: Deb, into: Path, log: Path) -> None:
    """With tar's own options: modes whatever the umask, the links of merged /usr left alone."""
    pipe = 'dpkg-deb --fsys-tarfile "$1" | tar -xp --keep-directory-symlink --no-same-owner -C "$2"'
    run(["bash", "-o", "pipefail", "-c", pipe, "unpack", deb.path, into], log=log)


def _members(file: BinaryIO) -> Iterator[tuple[str, int, int]]:
    """Name, time and size of each member; the file stands at its content."""
    while len(header := file.read(_AR_HEADER)) == _AR_HEADER:
        size, start = int(header[48:58]), file.tell()
        yield header[:16].decode().strip().rstrip("/"), int(header[16:28]), size
        file.seek(start + size + size % 2)


def _unreadable(package: OsPackage, path: Path, cause: str) -> DsvmError:
    return DsvmError(
        f"`{package.name} {package.version}` is not a Debian package that can be read",
        cause=f"{path}: {cause}",
    )


def _control(content: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        for member in tar:
            if member.name.removeprefix("./") == "control":
                file = tar.extractfile(member)
                return _fields(file.read().decode()) if file else {}
    return {}


def _fields(stanza: str) -> dict[str, str]:
    fields = re.split(r"\n(?=[^ \t\n])", stanza.strip("\n"))
    return {name: value.strip() for name, _, value in (field.partition(":") for field in fields)}


def _stanza(deb: Deb, filename: str) -> str:
    more = {"Filename": filename, "Size": deb.package.size, "SHA256": deb.package.sha256}
    return "".join(f"{name}: {value}\n" for name, value in {**deb.control, **more}.items())


def _bare(name: str) -> str:
    """`libc6:any (>= 2.38) [amd64]` -> `libc6`"""
    return re.split(r"[\s(:\[<]", name.strip(), maxsplit=1)[0]
