"""An interpreter's layer: another base's Python, mounted at /opt/dsvm/pythons/<version>.

It runs beside the machine's own libraries. Its own, other than the C library, lie in a folder
that its program names as DT_RPATH (ld.so(8)): so modules of the standard library find theirs, and
programs that Python starts do not.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from dsvm.build import debs, erofs, keys, package_set, work
from dsvm.build.package_set import PackageSet
from dsvm.build.tools_tree import ToolsTree
from dsvm.home import Home
from dsvm.store import Store

SOURCES = ("erofs.py", "interpreter.py", *package_set.SOURCES)
PYTHONS = "/opt/dsvm/pythons"
_OWN_LIBRARIES = "usr/lib/dsvm"
# Always the machine's: the C library must fit the loader that starts the program.
_C_LIBRARY = "libc6"
_NEEDLESS = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian")
_UNPACKED = 6


def interpreter_key(packages: PackageSet, version: str, tools_key: str) -> str:
    return keys.key(
        "interpreter",
        version=version,
        debs=packages.key,
        tools=tools_key,
        source=keys.source_digest(*SOURCES),
    )


def build_interpreter(
    packages: PackageSet, version: str, tools: ToolsTree, store: Store, home: Home, log: Path
) -> str:
    """Make the layer, put it in the store, return its digest. Raises `DsvmError`."""
    needed = _UNPACKED * sum(package.size for package in packages.packages)
    with work.folder(needed, home.cache / "work") as scratch:
        tree, result = scratch / "tree", scratch / "layer.erofs"
        lay_out(packages.debs(store), version, tree, tools, log)
        key = interpreter_key(packages, version, tools.key)
        erofs.freeze(tree, result, tools, key, owner=0, log=log)
        return store.put_file(result, move=True)


def lay_out(
    packages: list[debs.Deb], version: str, tree: Path, tools: ToolsTree, log: Path
) -> None:
    """Unpack the packages as `tree` and make its Python find its own libraries."""
    debs.unpack(packages, tree, log=log)
    own = tree / _OWN_LIBRARIES
    work.new_folder(own)
    for library in _libraries(packages, tree, log):
        (own / library.name).symlink_to(f"../{library.parent.name}/{library.name}")
    program = tree / "usr/bin" / f"python{version}"
    tools.run("patchelf", "--force-rpath", "--set-rpath", "$ORIGIN/../lib/dsvm", program, log=log)
    for needless in _NEEDLESS:
        shutil.rmtree(tree / needless, ignore_errors=True)


def _libraries(packages: list[debs.Deb], tree: Path, log: Path) -> list[Path]:
    theirs = {
        Path(name).name
        for deb in packages
        if deb.package.name == _C_LIBRARY
        for name in debs.files(deb, log)
    }
    found = tree.glob("usr/lib/*-linux-gnu/*.so.*")
    return sorted(library for library in found if library.name not in theirs)
