"""Small trees of packages in which Python runs: the machine's own, and interpreters of other bases.

No package's scripts are run. The machine's own tree is only built with; an interpreter of another
base becomes a layer, mounted at /opt/dsvm/pythons/<version>.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dsvm.build import debs, keys, work
from dsvm.build.tools_tree import ToolsTree
from dsvm.home import Home
from dsvm.lock.model import OsTree
from dsvm.store import Store

SOURCES = ("debs.py", "python_tree.py")
PYTHONS = "/opt/dsvm/pythons"
_SYSTEM_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_OWN_LIBRARIES = "usr/lib/dsvm"
# The C library is always the machine's: it must fit the loader that starts the program.
_C_LIBRARY = "libc6"
_NEEDLESS = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian")


@dataclass(frozen=True)
class PythonPackages:
    """The debs of one Python: `python3` and what it needs, nothing that is installed beside it."""

    debs: tuple[debs.Deb, ...]

    @classmethod
    def of(cls, tree: OsTree, roots: Iterable[str], store: Store) -> PythonPackages:
        """Out of a locked tree. `roots` are the base's `python_packages`."""
        wanted = [root for root in roots if root.startswith("python3")]
        packages = (debs.read(package, store.get(package.sha256)) for package in tree.packages)
        return cls(tuple(debs.closure(wanted, packages)))

    @property
    def key(self) -> list[str]:
        return keys.debs(deb.package for deb in self.debs)


def system_tree(packages: PythonPackages, home: Home, log: Path) -> Path:
    """The unpacked packages as a sandbox's system; kept in the home's cache."""
    key = keys.key("python", debs=packages.key, source=keys.source_digest(*SOURCES))
    root = home.cache / "python" / key
    if not root.is_dir():
        root.parent.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(prefix="partial-", dir=root.parent))
        try:
            debs.unpack(packages.debs, half, log=log)
            half.rename(root)
        except OSError:
            if not root.is_dir():
                raise
        finally:
            work.remove(half)
    return root


def interpreter_key(packages: PythonPackages, tools: ToolsTree) -> str:
    source = keys.source_digest(*SOURCES, "erofs.py")
    return keys.key("interpreter", debs=packages.key, tools=tools.key, source=source)


def interpreter_tree(
    packages: PythonPackages, version: str, into: Path, tools: ToolsTree, log: Path
) -> None:
    """Unpack an interpreter that runs on another base, beside that base's own libraries.

    Its libraries other than the C library lie in a folder of their own, which its program names
    as DT_RPATH (ld.so(8)): so modules of the standard library find theirs, and programs that
    Python starts do not.
    """
    debs.unpack(packages.debs, into, log=log)
    own = into / _OWN_LIBRARIES
    own.mkdir()
    for library in _libraries(packages.debs, into, log):
        (own / library.name).symlink_to(f"../x86_64-linux-gnu/{library.name}")
    program = into / "usr/bin" / f"python{version}"
    tools.run("patchelf", "--force-rpath", "--set-rpath", "$ORIGIN/../lib/dsvm", program, log=log)
    for needless in _NEEDLESS:
        shutil.rmtree(into / needless, ignore_errors=True)


def _libraries(packages: Sequence[debs.Deb], tree: Path, log: Path) -> list[Path]:
    theirs = {
        Path(name).name
        for deb in packages
        if deb.package.name == _C_LIBRARY
        for name in debs.files(deb, log)
    }
    found = (tree / _SYSTEM_LIBRARIES).glob("*.so.*")
    return sorted(library for library in found if library.name not in theirs)
