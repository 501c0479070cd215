"""What of the caches of resolving no lock needs any more: for `dsvm gc`.

cache/npm           npm's own: its tarballs are in the store once more
cache/node-<key>    a Node.js of our own, where the host has no npm
cache/apt/<root>    indexes of a base and its mirrors    } as long as they are used: they save
cache/uv            uv's own: metadata of packages       } asking a mirror for all of it again
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from dsvm.home import Home
from dsvm.lock.npm import own_node

UNUSED_S = 30 * 24 * 3600.0


def needless(home: Home, *, now: float | None = None) -> list[Path]:
    """Files and folders to remove, while no lock is being made (`Store.idle`)."""
    known = None if shutil.which("npm") else own_node()
    nodes = {path for path in home.cache.glob("node-*") if path.name.partition(".")[0] != known}
    since = (time.time() if now is None else now) - UNUSED_S
    aged = [*(home.cache / "apt").glob("*/"), home.cache / "uv"]
    unused = {path for path in aged if path.exists() and _last_written(path) < since}
    npm = home.cache / "npm"
    return sorted({*nodes, *unused, *([npm] if npm.exists() else [])})


def _last_written(folder: Path) -> float:
    """apt's root is written at each use, uv's cache whenever an answer was not in it."""
    return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
