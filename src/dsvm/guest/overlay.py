"""Writable overlays on frozen layers.

<overlay>/upper      what the user changed
<overlay>/work       the kernel's own
<overlay>/layer      digest of the layer that `upper` belongs to
<overlay>/owned      digest of the layer whose directories were made in `upper`
<overlay>/set-aside  what an earlier layer's changes left behind (dsvm.guest.carry)

A directory of the merged tree has the owner that `upper` says, else the layer's. The login's own
layers are built as the login's (uid 1000), so nothing has to be done for it. For everybody else
all of the layer's directories are made in `upper` once, owned by that user: pip can then add,
replace and remove any file, and what it changes is seen by that user alone.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from dsvm.guest.system import folder, in_user_namespace, mounts, own, run, unmount, write

# The kernel reads these as separators in the options of an overlay mount.
SPECIAL = str.maketrans({"\\": "\\\\", ":": "\\:", ",": "\\,"})


def mount(layer: Path, overlay: Path, point: Path, *, uid: int, gid: int) -> bool:
    """Mount layer and overlay at `point`; return whether anything had to be done."""
    if is_mounted(layer, overlay, point):
        return False
    unmount(point)
    prepare(layer, overlay, uid=uid, gid=gid)
    folder(point)
    run("mount", "-t", "overlay", "-o", options(layer, overlay), tag(overlay), point)
    return True


def options(layer: Path, overlay: Path) -> str:
    """The overlay's mount options; in a user namespace only `user.` attributes may be written."""
    lower, upper, work = (
        str(path).translate(SPECIAL) for path in (layer, overlay / "upper", overlay / "work")
    )
    extra = ",userxattr" if in_user_namespace() else ""
    return f"nodev,nosuid,lowerdir={lower},upperdir={upper},workdir={work}{extra}"


def prepare(layer: Path, overlay: Path, *, uid: int, gid: int) -> None:
    """Make `upper` and `work`, so that this user may write everywhere in the merged tree."""
    folder(overlay.parent, mode=0o711)
    folder(overlay, mode=0o750, gid=gid)
    owned = overlay / "owned"
    if not (overlay / "upper").exists():
        owned.unlink(missing_ok=True)
    upper = folder(overlay / "upper", uid=uid, gid=gid)
    shutil.rmtree(overlay / "work", ignore_errors=True)
    folder(overlay / "work", mode=0o700)
    if layer.stat().st_uid != uid and not (owned.exists() and owned.read_text() == layer.name):
        _own_directories(layer, upper, uid, gid)
        write(owned, layer.name)


def _own_directories(layer: Path, upper: Path, uid: int, gid: int) -> None:
    """The layer's directories, empty, owned by the user; where a file is in the way it stays."""
    for below, directories, _ in os.walk(layer):
        here = upper / os.path.relpath(below, layer)
        for name in list(directories):
            source, target = Path(below, name), here / name
            if source.is_symlink() or (os.path.lexists(target) and not target.is_dir()):
                directories.remove(name)
                continue
            try:
                target.mkdir(mode=0o755)
                os.chown(target, uid, gid)
            except FileExistsError:
                own(target, uid, gid, 0o755)  # a killed run may have stopped between the two


def is_mounted(layer: Path, overlay: Path, point: Path) -> bool:
    """Exactly this layer with exactly this overlay is what is seen at `point`."""
    there = mounts().get(str(point))
    if there is None or there[:2] != (tag(overlay), "overlay"):
        return False
    parts = there[2].split(",")
    return f"lowerdir={layer}" in parts and f"upperdir={overlay / 'upper'}" in parts


def tag(overlay: Path) -> str:
    """What /proc/mounts shows as the source of this overlay's mount."""
    return f"dsvm:{overlay}"
