"""An app's layer from OS packages of another base, at /opt/dsvm/apps/<tool>.

They run beside the machine's own, as another base's Python does (`dsvm.build.interpreter`).
"""

from __future__ import annotations

from pathlib import Path

from dsvm.build import debs, erofs, interpreter, keys, work
from dsvm.build.tools_tree import ToolsTree
from dsvm.home import Home
from dsvm.lock.model import LockedDebs
from dsvm.store import Store

SOURCES = ("package_apps.py", *interpreter.SOURCES)
# Of the size of the packages: unpacked 5 times, frozen 3.
_UNPACKED = 8


def debs_key(locked: LockedDebs, programs: tuple[str, ...], tools_key: str) -> str:
    return keys.key(
        "debs",
        tool=locked.tool,
        debs=keys.debs(locked.tree.packages),
        programs=programs,
        tools=tools_key,
        source=keys.source_digest(*SOURCES),
    )


def build_debs(
    locked: LockedDebs,
    programs: tuple[str, ...],
    tools: ToolsTree,
    store: Store,
    home: Home,
    log: Path,
) -> str:
    """Unpack the packages; `programs` find the libraries among them. Raises `DsvmError`."""
    needed = _UNPACKED * sum(package.size for package in locked.tree.packages)
    with work.folder(needed, home.cache / "work") as scratch:
        tree = scratch / "tree"
        found = [debs.read(one, store.get(one.sha256)) for one in locked.tree.packages]
        interpreter.lay_out_programs(found, programs, tree, tools, log)
        key = debs_key(locked, programs, tools.key)
        return erofs.freeze(tree, key, tools, store, owner=0, log=log)
