"""A part of a locked tree: some packages and what they need; as files for a sandbox or a layer."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dsvm import timing
from dsvm.build import debs, keys, work
from dsvm.home import Home
from dsvm.lock.model import OsPackage, OsTree
from dsvm.store import Store
from dsvm.whole import write_whole

SOURCES = ("debs.py", "package_set.py")


@dataclass(frozen=True)
class PackageSet:
    """Packages of one locked tree, closed under what they depend on."""

    packages: tuple[OsPackage, ...]

    @classmethod
    def of(cls, tree: OsTree, roots: Iterable[str], store: Store, home: Home) -> PackageSet:
        """`roots` and what they need. What a package needs stands in its file, so the files are
        read once (else `MissingBlob`) and the answer is kept in the home's cache.
        """
        wanted = sorted(roots)
        known = (
            home.cache
            / "closures"
            / keys.key("closure", tree=keys.debs(tree.packages), roots=wanted)
        )
        if known.exists():
            names = set(json.loads(known.read_text()))
        else:
            read = (debs.read(package, store.get(package.sha256)) for package in tree.packages)
            names = {deb.package.name for deb in debs.closure(wanted, read)}
            known.parent.mkdir(parents=True, exist_ok=True)
            write_whole(known, json.dumps(sorted(names)).encode())
        return cls(tuple(package for package in tree.packages if package.name in names))

    @property
    def key(self) -> list[str]:
        return keys.debs(self.packages)

    def debs(self, store: Store) -> list[debs.Deb]:
        return [debs.read(package, store.get(package.sha256)) for package in self.packages]

    def unpacked(self, store: Store, home: Home, log: Path) -> Path:
        """The packages as a sandbox's system, kept in the home's cache."""
        key = keys.key("unpacked", debs=self.key, source=keys.source_digest(*SOURCES))
        root = home.cache / "trees" / key
        with timing.step("unpack tools"):
            if not root.is_dir():
                with work.alone(f"tree-{key}", home):
                    if not root.is_dir():
                        _unpack(self.debs(store), root, log)
        return root


def _unpack(packages: list[debs.Deb], root: Path, log: Path) -> None:
    """Into a folder of its own, which then takes its place whole."""
    root.parent.mkdir(parents=True, exist_ok=True)
    half = Path(tempfile.mkdtemp(prefix="partial-", dir=root.parent))
    try:
        debs.unpack(packages, half, log=log)
        half.chmod(0o755)
        half.rename(root)
    finally:
        work.remove(half)
