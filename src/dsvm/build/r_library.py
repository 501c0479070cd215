"""R packages as a layer: built from source at /opt/dsvm/apps/<tool>/library in a sandbox.

The sandbox holds the base's R with its compilers, the locked sources, and no network. R writes the
time of building into each package unless it is told one, and where it unpacked the sources: it
finds them unpacked, always in the same place.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from dsvm.build import erofs, keys, package_set, work
from dsvm.build.package_set import PackageSet
from dsvm.build.sandbox import Sandbox
from dsvm.build.tools_tree import ToolsTree
from dsvm.home import Home
from dsvm.lock.model import LockedCran
from dsvm.store import Store

SOURCES = ("erofs.py", "r_library.py", "sandbox.py", *package_set.SOURCES)
APPS = "/opt/dsvm/apps"
# R unpacks into a folder of a random name, which its index of help and debug symbols keep.
SOURCE = "/source"
_BUILT = "2020-01-01 00:00:00 UTC"
_UNPACKED = 12
_SMALLEST = 64 * 1024**2
# What Debian's scripts, which do not run here, would have chosen.
CHOSEN = ":".join(
    f"/usr/lib/{machine}-linux-gnu/{kind}"
    for machine in ("x86_64", "aarch64")
    for kind in ("blas", "lapack", "openblas-pthread")
)
ALTERNATIVES = {"awk": "mawk", "which": "which.debianutils"}


def library_key(cran: LockedCran, tools_key: str) -> str:
    return keys.key(
        "cran",
        tool=cran.tool,
        packages=[[package.name, package.sha256] for package in cran.packages],
        tree=keys.debs(cran.tree.packages),
        tools=tools_key,
        source=keys.source_digest(*SOURCES),
    )


def build_library(cran: LockedCran, tools: ToolsTree, store: Store, home: Home, log: Path) -> str:
    """Install the packages in their order. Raises `ProgramFailed` when one cannot be built."""
    needed = _SMALLEST + _UNPACKED * sum(package.size for package in cran.packages)
    with work.folder(needed, home.cache / "work") as scratch:
        tree = scratch / "tree"
        work.new_folder(tree)
        work.new_folder(tree / "library")
        work.new_folder(scratch / "source")
        system = PackageSet(cran.tree.packages).unpacked(store, home, log)
        folders = finished(system, scratch)
        sandbox = _sandbox(cran, tree, system, folders, scratch / "source", store)
        for package in cran.packages:
            archive = f"/build/{package.path.rpartition('/')[2]}"
            sandbox.run(["/bin/tar", "-xof", archive, "-C", SOURCE], log=log)
            sandbox.run(_install(cran, f"{SOURCE}/{package.name}"), log=log)
        key = library_key(cran, tools.key)
        return erofs.freeze(tree, key, tools, store, owner=0, log=log)


def _install(cran: LockedCran, source: str) -> list[str]:
    library = f"{APPS}/{cran.tool}/library"
    options = ["--no-lock", "--strip", f"--built-timestamp={_BUILT}", f"--library={library}"]
    return ["/usr/bin/R", "--no-echo", "--vanilla", "CMD", "INSTALL", *options, source]


def finished(system: Path, scratch: Path) -> dict[str, Path]:
    """Folders to be seen in place of those of unpacked packages, with what the packages' scripts
    would have added, which do not run: R's configuration from a template (ucf(1)), and names of
    programs that are alternatives (update-alternatives(1))."""
    configuration, programs = scratch / "R", scratch / "bin"
    shutil.copytree(system / "etc/R", configuration)
    shutil.copyfile(system / "usr/lib/R/etc/Renviron.ucf", configuration / "Renviron")
    shutil.copytree(system / "usr/bin", programs, symlinks=True)
    for name, chosen in ALTERNATIVES.items():
        (programs / name).symlink_to(chosen)
    return {"/etc/R": configuration, "/usr/bin": programs}


def _sandbox(
    cran: LockedCran,
    tree: Path,
    system: Path,
    folders: dict[str, Path],
    source: Path,
    store: Store,
) -> Sandbox:
    read = folders | {
        f"/build/{package.path.rpartition('/')[2]}": store.get(package.sha256)
        for package in cran.packages
    }
    return Sandbox(
        system,
        read=read,
        write={f"{APPS}/{cran.tool}": tree, SOURCE: source},
        environment={
            "HOME": "/tmp",
            "LD_LIBRARY_PATH": CHOSEN,
            "R_LIBS": f"{APPS}/{cran.tool}/library",
            "R_LIBS_SITE": "/usr/lib/R/site-library:/usr/lib/R/library",
            "SOURCE_DATE_EPOCH": str(erofs.TIMESTAMP),
            "MAKE": "make",
            "SED": "/bin/sed",
            "TAR": "/bin/tar",
        },
    )
