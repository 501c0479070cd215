"""Folders of an npm package that have a shrinkwrap, and so packages, of their own.

A program made of several npm projects (an editor and its extensions) ships each with an
npm-shrinkwrap.json, in npm's own format, and has them installed by a script. The digest of the
package around it fixes that file, so what it names is as locked as all else.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Sequence
from typing import Any

from dsvm.errors import DsvmError
from dsvm.lock.model import LockedNpm, NpmPackage
from dsvm.lock.npmtree import Entries
from dsvm.store import Store

_LOCKS = ("npm-shrinkwrap.json", "package-lock.json")


def inner_entries(folder: str, packages: Iterable[NpmPackage], tool: str, store: Store) -> Entries:
    """`packages` of the lock that lies in `folder`, by places relative to it.

    `packages` are those that fill the tree around it, their tarballs in the store. Raises
    `DsvmError` when none of them has such a folder with a lock that can be read.
    """
    around = [one for one in packages if f"{folder}/".startswith(f"{one.path}/")]
    if not around:
        raise _unknown(folder, tool, "no package lies there or above it")
    outer = max(around, key=lambda one: len(one.path))
    names = [f"{folder[len(outer.path) :].lstrip('/')}/{name}".lstrip("/") for name in _LOCKS]
    with tarfile.open(store.get(outer.sha256)) as tar:
        for member in tar:
            if member.name.partition("/")[2] in names and (file := tar.extractfile(member)):
                return _entries(file.read(), folder, tool)
    raise _unknown(folder, tool, f"{outer.name} {outer.version} has no {' or '.join(names)}")


def all_entries(npm: LockedNpm, store: Store) -> dict[str, Any]:
    """What npm's lock and those of the inner folders say, by places in the whole tree."""
    found: dict[str, Any] = dict(json.loads(npm.package_lock)["packages"])
    for folder in npm.inner:
        inner = inner_entries(folder, without(npm.packages, folder), npm.tool, store)
        found |= {f"{folder}/{place}": entry for place, entry in inner.items() if place}
    return found


def without(packages: Sequence[NpmPackage], folder: str) -> list[NpmPackage]:
    """Those that do not lie in that folder's own node_modules."""
    return [one for one in packages if not one.path.startswith(f"{folder}/node_modules/")]


def _entries(text: bytes, folder: str, tool: str) -> Entries:
    try:
        found = json.loads(text)["packages"]
    except (ValueError, KeyError, TypeError) as fault:
        raise _unknown(folder, tool, f"its lock cannot be read: {fault!r}") from fault
    return dict(found)


def _unknown(folder: str, tool: str, cause: str) -> DsvmError:
    return DsvmError(
        f"`{tool}` has no packages of their own in `{folder}`",
        cause=cause,
        remedy="correct `inner` in its tool.toml: [npm]",
    )
