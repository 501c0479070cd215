"""An interpreter's layer: another base's Python, mounted at /opt/dsvm/pythons/<version>.

It runs beside the machine's own libraries. Its own, other than the C library, lie in a folder
that its program names as DT_RPATH (ld.so(8)): so modules of the standard library find theirs, and
programs that Python starts do not.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
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
        tree = scratch / "tree"
        lay_out(packages.debs(store), version, tree, tools, log)
        key = interpreter_key(packages, version, tools.key)
        return erofs.freeze(tree, key, tools, store, owner=0, log=log)


def lay_out(
    packages: list[debs.Deb], version: str, tree: Path, tools: ToolsTree, log: Path
) -> None:
    """Unpack the packages as `tree` and make its Python find its own libraries."""
    lay_out_programs(packages, [f"usr/bin/python{version}"], tree, tools, log)


def lay_out_programs(
    packages: list[debs.Deb], programs: Sequence[str], tree: Path, tools: ToolsTree, log: Path
) -> None:
    """Unpack the packages as `tree` and make these programs find the libraries in it."""
    debs.unpack(packages, tree, log=log)
    own = tree / _OWN_LIBRARIES
    work.new_folder(own)
    libraries = _libraries(packages, tree, log)
    for library in libraries:
        if not (own / library.name).is_symlink():
            (own / library.name).symlink_to(os.path.relpath(library, own))
    # With a DT_RUNPATH of its own a library does not look where the program says (ld.so(8)).
    for library in filter(_is_elf, libraries):
        if path := tools.run("patchelf", "--print-rpath", library, log=log).strip():
            tools.run("patchelf", "--force-rpath", "--set-rpath", path, library, log=log)
    for name in programs:
        there = "$ORIGIN/" + os.path.relpath(own, (tree / name).parent)
        tools.run("patchelf", "--force-rpath", "--set-rpath", there, tree / name, log=log)
    for needless in _NEEDLESS:
        shutil.rmtree(tree / needless, ignore_errors=True)


def _libraries(packages: list[debs.Deb], tree: Path, log: Path) -> list[Path]:
    theirs = {
        Path(name).name
        for deb in packages
        if deb.package.name == _C_LIBRARY
        for name in debs.files(deb, log)
    }
    # Those of alternatives (a BLAS) lie in folders of their own, and no script has chosen one. A
    # program's private ones do, too; it opens them by name while it runs, often without a version.
    libraries = "usr/lib/*-linux-gnu"
    patterns = (f"{libraries}/*.so.*", f"{libraries}/*/*.so.*", f"{libraries}/*/*.so")
    found = {path for pattern in patterns for path in tree.glob(pattern)}
    own = [library for library in found if library.name not in theirs]
    return sorted(own, key=lambda library: (len(library.parts), library))


def _is_elf(path: Path) -> bool:
    """Whether it is a program or a library itself: not a link, which may lead out of the tree."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"
