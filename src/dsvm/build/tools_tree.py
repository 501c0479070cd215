"""The locked file-system tools: the same bytes from any host.

`mkfs.erofs` and `mke2fs` write other bytes in other versions, so they come from the lock, like all
that is built with them. Their tree is unpacked, never installed, and its programs are started by
its own dynamic loader (ld.so(8)), which needs neither root nor a chroot.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dsvm.build import keys, package_set
from dsvm.build.package_set import PackageSet
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.lock.model import OsTree
from dsvm.programs import run
from dsvm.store import Store

_PLACES = ("usr/bin", "usr/sbin")
_LOADERS = ("lib64/ld-linux-x86-64.so.2", "lib/ld-linux-aarch64.so.1")


@dataclass(frozen=True)
class ToolsTree:
    """An unpacked tools tree. `key` goes into the key of every layer that is made with it."""

    root: Path
    key: str

    @staticmethod
    def key_of(tree: OsTree) -> str:
        source = keys.source_digest("tools_tree.py", *package_set.SOURCES)
        return keys.key("tools", debs=keys.debs(tree.packages), source=source)

    @classmethod
    def of(cls, tree: OsTree, store: Store, home: Home) -> ToolsTree:
        """Unpack the locked tree below the home's cache unless it is there already.

        Raises `MissingBlob` when a locked package was not fetched.
        """
        log = home.logs / "build" / "tools.log"
        return cls(PackageSet(tree.packages).unpacked(store, home, log), cls.key_of(tree))

    def argv(self, program: str, *arguments: str | Path) -> list[str]:
        """The command line of one of its programs. Raises `DsvmError` if the lock has it not."""
        for place in _PLACES:
            found = self.root / place / program
            if found.exists():
                loader = ["--library-path", str(self._libraries)]
                return [str(self._loader), *loader, str(found), *map(str, arguments)]
        raise DsvmError(
            f"the locked tools have no `{program}`",
            cause=f"none of the packages of the lock's tools_tree brings it ({self.root})",
            remedy="`dsvm lock --upgrade` locks the tools anew",
        )

    @property
    def env(self) -> Mapping[str, str]:
        """What keeps the host's configuration and clock away from the tools."""
        return {
            "GCONV_PATH": str(self._libraries / "gconv"),
            "LC_ALL": "C.UTF-8",
            "MKE2FS_CONFIG": str(self.root / "etc/mke2fs.conf"),
            "MTOOLSRC": os.devnull,
            "TZ": "UTC",
        }

    def run(
        self,
        program: str,
        *arguments: str | Path,
        log: Path,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
    ) -> str:
        """Run one of the tools; return its stdout. Raises `ProgramFailed`."""
        return self.run_argv(self.argv(program, *arguments), log=log, env=env, stdin=stdin)

    def run_argv(
        self,
        argv: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
    ) -> str:
        """Run a command line that uses the tools, with their environment and `env`."""
        return run(argv, log=log, env={**self.env, **(env or {})}, stdin=stdin).stdout

    @property
    def _loader(self) -> Path:
        return next(path for name in _LOADERS if (path := self.root / name).exists())

    @property
    def _libraries(self) -> Path:
        """Debian keeps the C library's own at usr/lib/<triplet>."""
        return next(self.root.glob("usr/lib/*-linux-gnu"))
