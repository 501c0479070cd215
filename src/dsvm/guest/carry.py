"""A new layer came under an existing overlay: which of the user's changes may stay.

A file of `upper` shadows the layer's. Left where it is, a changed or removed file of the old layer
would mix two versions of a package without anybody seeing it. So:

kept       distributions that the new layer does not have and whose files it does not have either,
           and single files of the user's own at places where the new layer has nothing;
set aside  everything else: replaced or removed distributions, edited or removed files of the old
           layer, byte code, and all that belongs to another Python than the new layer's.

What is set aside lies in <overlay>/set-aside/<time>/upper with a `record.json`. A kill at any point
is survived: `carry.json` says what is going on, files move one by one, and the next call goes on.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from dsvm.guest.distributions import Distribution, installed
from dsvm.guest.system import folder, own, write

ORIGIN_ATTRIBUTES = ("trusted.overlay.origin", "user.overlay.origin")


@dataclass(frozen=True)
class Carried:
    """What was kept and what was set aside (names of distributions, counts of other files)."""

    kept: tuple[str, ...]
    set_aside: tuple[str, ...]
    files_set_aside: int
    place: str

    def sentence(self) -> str:
        """One line for the user; empty when nothing was set aside."""
        if not self.set_aside and not self.files_set_aside:
            return ""
        names = ", ".join(self.set_aside)
        what = f"your {names}" if names else f"{self.files_set_aside} changed files of yours"
        return f"{what} did not fit the new version and were set aside in {self.place}"


def to_layer(overlay: Path, layer: Path, digest: str, *, uid: int, gid: int) -> Carried | None:
    """Make the overlay fit the layer; None when it belongs to it already or holds nothing."""
    mark, journal = overlay / "layer", overlay / "carry.json"
    folder(overlay.parent, mode=0o711)
    folder(overlay, mode=0o750, gid=gid)
    before = mark.read_text().strip() if mark.exists() else digest
    if before == digest and not journal.exists():
        write(mark, digest + "\n")
        return None
    aside = _aside(overlay, journal, before, digest)
    done = _carry(aside / "upper", folder(overlay / "upper", uid=uid, gid=gid), layer)
    result = Carried(*done, str(aside)) if aside.exists() else None
    _finish(aside, journal, result, before, digest)
    write(mark, digest + "\n")
    journal.unlink(missing_ok=True)
    return result


def _aside(overlay: Path, journal: Path, before: str, digest: str) -> Path:
    """Put the whole of `upper` aside, once, even over a kill."""
    if not journal.exists():
        name = time.strftime("%Y%m%dT%H%M%S", time.gmtime()) + f"-{before[:8]}"
        write(journal, json.dumps({"from": before, "to": digest, "name": name}))
    aside = overlay / "set-aside" / str(json.loads(journal.read_text())["name"])
    upper = overlay / "upper"
    if not aside.exists() and upper.exists():
        folder(aside.parent)
        fresh = folder(aside.parent / (aside.name + ".partial"))
        upper.rename(fresh / "upper")
        fresh.rename(aside)
    partial = aside.parent / (aside.name + ".partial")
    if not aside.exists() and partial.exists():
        partial.rename(aside)
    return aside


def _carry(old: Path, new: Path, layer: Path) -> tuple[tuple[str, ...], tuple[str, ...], int]:
    fresh = installed(layer)
    theirs = installed(old)
    belongs: dict[Path, str] = {}
    for name, distribution in theirs.items():
        for file in distribution.files(old):
            belongs[file] = name
    kept = {
        name
        for name, distribution in theirs.items()
        if name not in fresh and _fits(distribution, old, layer)
    }
    left = 0
    for file in _files_record_last(old):
        owner = belongs.get(file)
        if owner in kept or (owner is None and _is_own(old / file, layer, file)):
            _move(old, new, file)
        elif owner is None and not _is_byte_code(file):
            left += 1
    _prune(old)
    return tuple(sorted(kept)), tuple(sorted(set(theirs) - kept)), left


def _fits(distribution: Distribution, old: Path, layer: Path) -> bool:
    if not (layer / distribution.site).is_dir():
        return False
    files = distribution.files(old)
    return bool(files) and not any(
        os.path.lexists(layer / file)
        for file in files
        if os.path.lexists(old / file) and not _is_byte_code(file)
    )


def _is_own(path: Path, layer: Path, file: Path) -> bool:
    """A file the user made (not one of the old layer that was changed or removed)."""
    if _is_byte_code(file) or os.path.lexists(layer / file) or _is_whiteout(path):
        return False
    if any(os.path.lexists(layer / up) and not (layer / up).is_dir() for up in file.parents):
        return False
    if file.parts[:1] == ("lib",) and not (layer / Path(*file.parts[:2])).is_dir():
        return False
    return not _came_from_layer(path)


def _came_from_layer(path: Path) -> bool:
    """The kernel marks what it copied up from a layer with the attribute `overlay.origin`."""
    try:
        return any(name in ORIGIN_ATTRIBUTES for name in os.listxattr(path, follow_symlinks=False))
    except OSError:
        return False


def _is_whiteout(path: Path) -> bool:
    """A character device 0/0 stands for a removed file (kernel: filesystems/overlayfs.rst)."""
    status = path.lstat()
    return status.st_rdev == 0 and (status.st_mode & 0o170000) == 0o020000


def _is_byte_code(file: Path) -> bool:
    return "__pycache__" in file.parts


def _files_record_last(root: Path) -> list[Path]:
    """All files, every RECORD at the end: an interrupted move can then still tell what belongs."""
    found = [
        Path(below, name).relative_to(root)
        for below, directories, names in os.walk(root)
        for name in [*names, *(d for d in directories if Path(below, d).is_symlink())]
    ]
    return sorted(found, key=lambda file: (file.name == "RECORD", file))


def _move(old: Path, new: Path, file: Path) -> None:
    for up in reversed(file.parents[:-1]):
        if not (new / up).exists():
            (new / up).mkdir()
            status = (old / up).stat()
            own(new / up, status.st_uid, status.st_gid, status.st_mode & 0o7777)
    (old / file).rename(new / file)


def _prune(root: Path) -> None:
    """Take away byte code and the directories that have nothing left in them."""
    for below, directories, names in os.walk(root, topdown=False):
        if Path(below).name == "__pycache__":
            for name in names:
                Path(below, name).unlink()
        for name in directories:
            path = Path(below, name)
            if not path.is_symlink() and not any(path.iterdir()):
                path.rmdir()


def _finish(aside: Path, journal: Path, done: Carried | None, before: str, digest: str) -> None:
    """Leave a record beside what was set aside, or nothing at all when nothing was."""
    if done is None:
        return
    if not done.sentence():
        _remove_empty(aside)
        return
    record = {"from": before, "to": digest, "kept": done.kept, "set_aside": done.set_aside}
    write(aside / "record.json", json.dumps(record, indent=1) + "\n")


def _remove_empty(aside: Path) -> None:
    for place in (aside / "upper", aside):
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()
