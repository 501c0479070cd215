"""An app's layer from the files of a model hub, each at its path in the repository."""

from __future__ import annotations

import shutil
from pathlib import Path

from dsvm.build import apps, keys
from dsvm.build.tools_tree import ToolsTree
from dsvm.home import Home
from dsvm.lock.model import LockedHub
from dsvm.store import Store

SOURCES = ("hub_files.py", "apps.py", "erofs.py")


def hub_key(locked: LockedHub, tools_key: str) -> str:
    files = sorted([file.path, file.sha256] for file in locked.files)
    source = keys.source_digest(*SOURCES)
    return keys.key("hub", tool=locked.tool, files=files, tools=tools_key, source=source)


def build_hub(locked: LockedHub, tools: ToolsTree, store: Store, home: Home, log: Path) -> str:
    """Lay the files out and freeze them; returns the digest. Raises `DsvmError`."""

    def fill(tree: Path) -> None:
        for file in locked.files:
            target = apps.below(tree, file.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(store.get(file.sha256), target)

    size = sum(file.size for file in locked.files)
    return apps.freeze(fill, size, hub_key(locked, tools.key), tools, store, home, log)
