"""Puts another version of the guest's own files in place of those that are here.

Runs from that other version, unpacked below /usr/lib/dsvm, so a version that this machine's Python
cannot run changes nothing. The code is exchanged as one folder, every other file by rename; the
manifest comes last, so after a kill it still names the old version, and the next call goes on.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsvm.guest.places import CODE, MANIFEST
from dsvm.guest.system import GuestError, run

AT_FDCWD = -100
RENAME_EXCHANGE = 2  # renameat2(2)
SSH_SETTINGS = "etc/ssh/sshd_config.d/"


@dataclass(frozen=True)
class Manifest:
    """`digest` is that of all files together, `files` are their paths without a leading slash."""

    digest: str = ""
    files: tuple[str, ...] = ()


def manifest(root: Path = Path("/")) -> Manifest:
    """What lies below `root`; an empty one where none was written, or by a machine from before."""
    try:
        data: dict[str, Any] = json.loads((root / MANIFEST).read_text())
        return Manifest(str(data["digest"]), tuple(data["files"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Manifest()


def renew(staged: Path, root: Path = Path("/")) -> list[str]:
    """Move the files below `staged` into place and take away what only the old version had.

    Returns the paths, without a leading slash, that are new, changed or gone; the code counts as
    one. `staged` must lie on the file system of `root`, and is removed. Raises `GuestError` when
    it has no manifest.
    """
    old, new = manifest(root), manifest(staged)
    if not new.digest:
        raise GuestError(f"{staged} holds no version of the guest")
    os.sync()  # a power cut must find the new files whole under their names
    _exchange(staged / CODE, root / CODE)
    changed = [str(CODE)]
    for name in new.files:
        if not name.startswith(f"{CODE}/") and _differ(staged / name, root / name):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (staged / name).replace(root / name)
            changed.append(name)
    for name in set(old.files) - set(new.files):
        if not name.startswith(f"{CODE}/"):
            (root / name).unlink(missing_ok=True)
            changed.append(name)
    os.sync()
    (staged / MANIFEST).replace(root / MANIFEST)
    shutil.rmtree(staged)
    return changed


def restart(changed: list[str]) -> None:
    """Let what runs of the old version become the new one. Kernels and logins are left alone."""
    run("systemctl", "daemon-reload")
    run("systemctl", "try-restart", "dsvm-kernels@*.service")
    if any(name.startswith(SSH_SETTINGS) for name in changed):
        run("systemctl", "try-reload-or-restart", "ssh.service")


def _differ(new: Path, old: Path) -> bool:
    if new.is_symlink() or old.is_symlink():
        return not (new.is_symlink() and old.is_symlink()) or new.readlink() != old.readlink()
    if not old.is_file():
        return True
    return new.read_bytes() != old.read_bytes() or new.stat().st_mode != old.stat().st_mode


def _exchange(one: Path, other: Path) -> None:
    """Swap two folders at once: at no moment is there none."""
    library = ctypes.CDLL(None, use_errno=True)
    names = (os.fsencode(one), os.fsencode(other))
    if library.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(one), None, str(other))
