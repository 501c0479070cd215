"""The locked file-system tools: the same bytes from any host.

`mkfs.erofs` and `mke2fs` write other bytes in other versions, so they come from the lock, like all
that is built with them. Their tree is unpacked, never installed, and its programs are started by
its own dynamic loader (ld.so(8)), which needs neither root nor a chroot.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dsvm.build import debs, keys, work
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.lock.model import OsTree
from dsvm.programs import run
from dsvm.store import Store

_PLACES = ("usr/bin", "usr/sbin")
_LOADER = "lib64/ld-linux-x86-64.so.2"
_LIBRARIES = "usr/lib/x86_64-linux-gnu"


@dataclass(frozen=True)
class ToolsTree:
    """An unpacked tools tree. `key` goes into the key of every layer that is made with it."""

    root: Path
    key: str

    @classmethod
    def of(cls, tree: OsTree, store: Store, home: Home) -> ToolsTree:
        """Unpack the locked tree below the home's cache unless it is there already.

        Raises `MissingBlob` when a locked package was not fetched.
        """
        key = keys.key("tools", debs=keys.debs(tree.packages), source=keys.source_digest("debs.py"))
        root = home.cache / "tools" / key
        if not root.is_dir():
            root.parent.mkdir(parents=True, exist_ok=True)
            _unpack(tree, store, root, home.logs / "build" / "tools.log")
        return cls(root, key)

    def argv(self, program: str, *arguments: str | Path) -> list[str]:
        """The command line of one of its programs. Raises `DsvmError` if the lock has it not."""
        for place in _PLACES:
            if (self.root / place / program).exists():
                return [
                    str(self.root / _LOADER),
                    "--library-path",
                    str(self.root / _LIBRARIES),
                    str(self.root / place / program),
                    *(str(argument) for argument in arguments),
                ]
        raise DsvmError(
            f"the locked tools have no `{program}`",
            cause=f"none of the packages of the lock's tools_tree brings it ({self.root})",
            remedy="`dsvm lock --upgrade` locks the tools anew",
        )

    @property
    def env(self) -> Mapping[str, str]:
        """What keeps the host's configuration and clock away from the tools."""
        return {
            "GCONV_PATH": str(self.root / _LIBRARIES / "gconv"),
            "LC_ALL": "C.UTF-8",
            "MKE2FS_CONFIG": str(self.root / "etc/mke2fs.conf"),
            "MTOOLSRC": os.devnull,
            "TZ": "UTC",
        }

    def run(self, program: str, *arguments: str | Path, log: Path, **more: str) -> str:
        """Run one of the tools with `more` in its environment; return its stdout.

        Raises `ProgramFailed`.
        """
        argv: Sequence[str] = self.argv(program, *arguments)
        return run(argv, log=log, env={**self.env, **more}).stdout


def _unpack(tree: OsTree, store: Store, root: Path, log: Path) -> None:
    """Into a folder of its own, which then takes its place: two builds may do this at once."""
    half = Path(tempfile.mkdtemp(prefix="partial-", dir=root.parent))
    try:
        packages = [debs.read(package, store.get(package.sha256)) for package in tree.packages]
        debs.unpack(packages, half, log=log)
        half.chmod(0o755)
        half.rename(root)
    except OSError:
        if not root.is_dir():
            raise
    finally:
        work.remove(half)
