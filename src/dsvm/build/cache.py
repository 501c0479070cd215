"""What of a build's cache no build of the given locks would look at: for `dsvm gc`.

cache/trees/<key>       unpacked OS packages: the locked tools, a machine's own Python
cache/closures/<key>    which packages of a tree some of them need

The keys are those of `dsvm.build.package_set`; what another version of its code unpacked is under
another key, and goes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dsvm.build import keys, package_set
from dsvm.catalog.load import load_catalog
from dsvm.home import Home
from dsvm.lock.model import Lock, OsPackage, OsTree


def needless(locks: Iterable[Lock], home: Home) -> list[Path]:
    """Files and folders to remove, while no build runs (`Store.idle`)."""
    keep = {path for lock in locks for path in _of(lock, home)}
    found = [path for kind in ("trees", "closures") for path in (home.cache / kind).glob("*")]
    return sorted(set(found) - keep)


def _of(lock: Lock, home: Home) -> Iterator[Path]:
    """What a build of this lock has in the cache, or would put there."""
    for tree in (lock.tools_tree, *lock.builders.values()):
        yield _unpacked(tree.packages, home)
    bases = {base.suite: base for base in load_catalog().bases.values()}
    for tree in (lock.os, *lock.interpreters.values()):
        if tree.suite in bases:
            python = [
                name for name in bases[tree.suite].python_packages if name.startswith("python3")
            ]
            closure = _closure(tree, python, home)
            yield closure
            if tree is lock.os and closure.exists():
                names = set(json.loads(closure.read_text()))
                yield _unpacked([one for one in tree.packages if one.name in names], home)


def _closure(tree: OsTree, roots: Iterable[str], home: Home) -> Path:
    key = keys.key("closure", tree=keys.debs(tree.packages), roots=sorted(roots))
    return home.cache / "closures" / key


def _unpacked(packages: Sequence[OsPackage], home: Home) -> Path:
    source = keys.source_digest(*package_set.SOURCES)
    return home.cache / "trees" / keys.key("unpacked", debs=keys.debs(packages), source=source)
