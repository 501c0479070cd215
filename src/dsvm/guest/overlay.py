"""Writable overlays on frozen layers.

<overlay>/upper      what the user changed
<overlay>/work       the kernel's own
<overlay>/layer      digest of the layer that `upper` belongs to
<overlay>/set-aside  what an earlier layer's changes left behind (dsvm.guest.carry)

A directory of the merged tree has the owner and mode that the topmost of its parts says. The
login's own layers are built as the login's (uid 1000), so nothing has to be done for it. For
everybody else the layer's directories lie once more between `upper` and the layer: see
dsvm.guest.skeleton.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from dsvm.guest import skeleton
from dsvm.guest.system import folder, in_user_namespace, mounts, run, unmount

# The kernel reads these as separators in the options of an overlay mount.
SPECIAL = str.maketrans({"\\": "\\\\", ":": "\\:", ",": "\\,"})


def mount(layer: Path, overlay: Path, point: Path, *, uid: int, gid: int) -> bool:
    """Mount layer and overlay at `point`; return whether anything had to be done."""
    if is_mounted(layer, overlay, point):
        return False
    unmount(point)
    lower = [layer] if layer.stat().st_uid == uid else [skeleton.of(layer), layer]
    prepare(overlay, uid=uid, gid=gid)
    folder(point)
    run("mount", "-t", "overlay", "-o", options(lower, overlay), tag(overlay), point)
    return True


def options(lower: Sequence[Path], overlay: Path) -> str:
    """The overlay's mount options; in a user namespace only `user.` attributes may be written.

    `lower` are the read-only parts, the topmost first.
    """
    below = ":".join(_plain(path) for path in lower)
    upper, work = _plain(overlay / "upper"), _plain(overlay / "work")
    extra = ",userxattr" if in_user_namespace() else ""
    return f"nodev,nosuid,lowerdir={below},upperdir={upper},workdir={work}{extra}"


def _plain(path: Path) -> str:
    return str(path).translate(SPECIAL)


def prepare(overlay: Path, *, uid: int, gid: int) -> None:
    """Make `upper` and `work`; the top of the merged tree is this user's."""
    folder(overlay.parent, mode=0o711)
    folder(overlay, mode=0o750, gid=gid)
    folder(overlay / "upper", uid=uid, gid=gid)
    shutil.rmtree(overlay / "work", ignore_errors=True)
    folder(overlay / "work", mode=0o700)


def is_mounted(layer: Path, overlay: Path, point: Path) -> bool:
    """Exactly this layer with exactly this overlay is what is seen at `point`."""
    there = mounts().get(str(point))
    if there is None or there[:2] != (tag(overlay), "overlay"):
        return False
    options = dict(part.partition("=")[::2] for part in there[2].split(","))
    lowest = options.get("lowerdir", "").rpartition(":")[2]
    return lowest == str(layer) and options.get("upperdir") == str(overlay / "upper")


def tag(overlay: Path) -> str:
    """What /proc/mounts shows as the source of this overlay's mount."""
    return f"dsvm:{overlay}"
