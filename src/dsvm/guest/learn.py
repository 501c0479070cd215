"""A user's own copy of the lessons, in ~/learn: made once, and then the user's."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from dsvm.guest.places import LESSONS
from dsvm.guest.system import write

ORIGINALS = Path("/") / LESSONS
HERE = Path("learn")
COPIED = ".copied"


def copy(home: Path, originals: Path = ORIGINALS) -> None:
    """Copy the lessons that were not copied yet, as the user whose home it is.

    What the user has changed or thrown away stays so: ~/learn/.copied remembers each.
    """
    if not originals.is_dir():
        return
    mine = home / HERE
    mine.mkdir(exist_ok=True)
    seen = mine / COPIED
    copied = set(seen.read_text().split()) if seen.exists() else set[str]()
    for one in sorted(originals.iterdir()):
        if one.name in copied:
            continue
        if not (mine / one.name).exists():
            partial = mine / f".{one.name}.new"
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(one, partial, copy_function=shutil.copyfile)
            partial.rename(mine / one.name)
        copied.add(one.name)
        listed = "".join(f"{name}\n" for name in sorted(copied))
        write(seen, listed, uid=os.getuid(), gid=os.getgid())
