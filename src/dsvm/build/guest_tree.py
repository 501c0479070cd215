"""The guest's own code and configuration as a small tar that lies over the OS tree.

It is no part of the OS layer, so that a change of it makes a new disk in seconds and no new layer.

    /usr/lib/dsvm/guest/      the package `dsvm.guest`; found as such with PYTHONPATH=/usr/lib
    /                         what lies in its folder `files`
    /etc/systemd/{system,user}/   links that enable its units, as their [Install] says
    /usr/share/dsvm/learn/    the lessons: script, notebooks, data
    /usr/share/dsvm/models/   how the models of the catalog are asked
    /usr/lib/dsvm/manifest.json   digest and paths of all of these (`dsvm.guest.renew`)
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Container, Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from dsvm.guest.places import CODE, LESSONS, MANIFEST, MODELS
from dsvm.learn.notebook import lesson_files
from dsvm.models.shipped import model_files

_UNITS = PurePosixPath("usr/lib/systemd")
_ENABLED = PurePosixPath("etc/systemd")
_INSTALL = {"WantedBy": "wants", "RequiredBy": "requires", "UpheldBy": "upholds"}
_PRIVATE = PurePosixPath("etc/sudoers.d")


@dataclass(frozen=True)
class Entry:
    """A file, or with `link` a symbolic link."""

    path: PurePosixPath
    content: bytes = b""
    link: str | None = None


def entries() -> list[Entry]:
    """All files and links of the guest, sorted by path."""
    package = resources.files("dsvm.guest")
    files = [Entry(path, data) for path, data in _files(package / "files", PurePosixPath())]
    code = [
        Entry(CODE / path, data)
        for path, data in _files(package, PurePosixPath())
        if path.suffix == ".py" and path.parts[0] != "files"
    ]
    links = [link for file in files for link in _enabled(file)]
    lessons = [Entry(LESSONS / path, data) for path, data in lesson_files()]
    models = [Entry(MODELS / path, data) for path, data in model_files()]
    found = sorted([*files, *code, *links, *lessons, *models], key=lambda entry: entry.path)
    return sorted([*found, _manifest(found)], key=lambda entry: entry.path)


def guest_digest() -> str:
    """The digest of all files of the guest, as its manifest has it."""
    written = next(entry for entry in entries() if entry.path == MANIFEST)
    return str(json.loads(written.content)["digest"])


def tar(found: list[Entry], present: Container[str], time: int) -> bytes:
    """The entries as a tar whose files all have this time (Unix seconds) and belong to root.

    Folders are added unless they are `present` (paths without a leading slash) below it already.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        made: set[str] = set()
        for entry in found:
            for folder in reversed(entry.path.parents[:-1]):
                if str(folder) not in present and str(folder) not in made:
                    made.add(str(folder))
                    archive.addfile(_info(folder, time, kind=tarfile.DIRTYPE, mode=0o755))
            archive.addfile(_entry_info(entry, time), io.BytesIO(entry.content))
    return buffer.getvalue()


def _manifest(found: list[Entry]) -> Entry:
    names = [str(entry.path) for entry in found]
    digest = hashlib.sha256()
    for name, entry in zip(names, found, strict=True):
        content = entry.content if entry.link is None else entry.link.encode()
        kind = "file" if entry.link is None else "link"
        digest.update(f"{kind} {name} {len(content)}\n".encode() + content)
    text = json.dumps({"digest": digest.hexdigest(), "files": names}, indent=1)
    return Entry(MANIFEST, text.encode() + b"\n")


def _files(folder: Traversable, path: PurePosixPath) -> Iterator[tuple[PurePosixPath, bytes]]:
    if not folder.is_dir():
        return
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.name == "__pycache__":
            continue
        if item.is_dir():
            yield from _files(item, path / item.name)
        else:
            yield path / item.name, item.read_bytes()


def _enabled(unit: Entry) -> Iterator[Entry]:
    """Links by which systemd starts the unit; `systemctl enable` needs a running system."""
    manager = unit.path.parent.name
    if manager not in ("system", "user") or unit.path.parent != _UNITS / manager:
        return
    for line in unit.content.decode().splitlines():
        name, _, targets = line.partition("=")
        for target in targets.split() if name.strip() in _INSTALL else ():
            folder = _ENABLED / manager / f"{target}.{_INSTALL[name.strip()]}"
            yield Entry(folder / unit.path.name, link=f"/{unit.path}")


def _entry_info(entry: Entry, time: int) -> tarfile.TarInfo:
    if entry.link is not None:
        info = _info(entry.path, time, kind=tarfile.SYMTYPE, mode=0o777)
        info.linkname = entry.link
        return info
    # By content, since modes are not kept by every way a package is installed.
    mode = 0o755 if entry.content.startswith(b"#!") else 0o644
    if entry.path.parent == _PRIVATE:
        mode = 0o440
    info = _info(entry.path, time, kind=tarfile.REGTYPE, mode=mode)
    info.size = len(entry.content)
    return info


def _info(path: PurePosixPath, time: int, *, kind: bytes, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(f"./{path}")
    info.type, info.mode, info.mtime = kind, mode, time
    return info
