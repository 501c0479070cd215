"""The directories of a layer once more, for the overlays of users other than the login.

Who may add, replace and remove names in a merged directory is what the topmost part that has it
says; the layer's own are the login's. A copy of all of them in every user's `upper` would cost
thousands of inodes and half a second a user. So there is one skeleton a layer, for all users: its
directories belong to a group that every further user is in, which may write.

That lets nobody write into another's view: a view is mounted below a folder that only root may
enter and bound in that user's own sessions, and its `upper` is closed to others.
It lives in memory, made anew after a start.
"""

from __future__ import annotations

import grp
import os
import shutil
from pathlib import Path

from dsvm.guest.places import GROUP, SKELETONS
from dsvm.guest.system import folder

MODE = 0o775


def of(layer: Path) -> Path:
    """The skeleton of a mounted layer, made when it is not there yet."""
    made = SKELETONS / layer.name
    if not made.exists():
        partial = SKELETONS / f"{layer.name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        folder(SKELETONS, mode=0o711)
        _copy(layer, partial, grp.getgrnam(GROUP).gr_gid)
        partial.rename(made)
    return made


def _copy(layer: Path, target: Path, gid: int) -> None:
    folder(target, mode=MODE, gid=gid)
    with os.scandir(layer) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _copy(Path(entry.path), target / entry.name, gid)
