"""Folders of the host that a virtual machine is given by virtio-fs; a container has them already.

The engine tells in the seed (`mounts.json`) which device, by its tag, is to be seen where.
"""

from __future__ import annotations

import json
from pathlib import Path

from dsvm.guest.environments import Account
from dsvm.guest.places import SEED
from dsvm.guest.system import GuestError, mounts, own, run

TOLD = SEED / "mounts.json"


def apply(login: Account, home: Path, errors: list[str]) -> None:
    """Mount what is not mounted yet; what cannot be is added to `errors`."""
    if not TOLD.exists():
        return
    there = mounts()
    for one in json.loads(TOLD.read_text()):
        if one["target"] in there:
            continue
        try:
            _mount(one["tag"], Path(one["target"]), one["read_only"], login, home)
        except (GuestError, OSError) as failed:
            errors.append(f"the host's folder at {one['target']} cannot be seen: {failed}")


def _mount(tag: str, target: Path, read_only: bool, login: Account, home: Path) -> None:
    missing = [one for one in (target, *target.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir()
        if one.is_relative_to(home):
            own(one, login.uid, login.gid, 0o755)
    options = "nosuid,nodev" + (",ro" if read_only else "")
    run("mount", "-t", "virtiofs", "-o", options, tag, target)
