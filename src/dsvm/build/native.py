"""Compiles native code of npm packages at its final path, in a sandbox without network.

The sandbox is the locked OS packages of a compiler, the tree of the app, and node-gyp, which makes
of a package's binding.gyp what Node.js loads (`build/Release/<name>.node`). Nothing of the package
runs but what its binding.gyp asks for. Of what is made only the stripped modules stay: the rest
tells of the build, not of the program.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dsvm.build import apps, erofs
from dsvm.build.package_set import PackageSet
from dsvm.build.sandbox import PATH, Sandbox
from dsvm.catalog.model import NpmBuild
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.lock.model import LockedNpm, LockedNpmBuild
from dsvm.programs import ProgramFailed
from dsvm.store import Store

SOURCES = ("native.py", "sandbox.py")
_HELPERS = "/build/npm"
_NODE_GYP = f"{_HELPERS}/node_modules/node-gyp/bin/node-gyp.js"
_MADE = Path("build/Release")
_MODULE = ".node"


@contextmanager
def workbench(tree: Path) -> Iterator[Path]:
    """A folder beside the tree for the packages that only build."""
    bench = tree.with_name("build-npm")
    bench.mkdir()
    try:
        yield bench
    finally:
        shutil.rmtree(bench)


def compile_packages(
    npm: LockedNpm,
    locked: LockedNpmBuild,
    need: NpmBuild,
    tree: Path,
    bench: Path,
    store: Store,
    home: Home,
    log: Path,
) -> None:
    """Compile the packages that `need` names, wherever they lie in `tree`.

    `bench` holds the packages that build. Raises `DsvmError` when one of them is nowhere or cannot
    be compiled.
    """
    root = f"{apps.APPS}/{npm.tool}"
    node = f"{root}/node_modules/{need.node}"
    sandbox = Sandbox(
        PackageSet(locked.os.packages).unpacked(store, home, log),
        read={_HELPERS: bench},
        write={root: tree},
        environment={
            "CC": "gcc",
            "CXX": "g++",
            "HOME": "/tmp",
            # A binding.gyp asks `node` where the headers of another package are.
            "PATH": f"{node}/bin:{PATH}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "SOURCE_DATE_EPOCH": str(erofs.TIMESTAMP),
        },
    )
    gyp = [f"{node}/bin/node", _NODE_GYP, "rebuild", "--release", f"--nodedir={node}"]
    gyp.append(f"--jobs={os.cpu_count() or 1}")
    for place in _places(npm, need.packages):
        try:
            sandbox.run([*gyp, f"--directory={root}/{place}"], log=log)
        except ProgramFailed as failed:
            raise DsvmError(
                f"the native code of `{place}` could not be compiled",
                cause=failed.cause,
                remedy=f"see whether a library is missing: [npm.build] apt of `{npm.tool}`",
                log=log,
            ) from failed
        for module in _keep_modules(tree / place):
            made = f"{root}/{place}/{_MADE}/{module}"
            sandbox.run(["strip", "--strip-unneeded", made], log=log)


def _places(npm: LockedNpm, names: list[str]) -> list[str]:
    missing = sorted(set(names) - {package.name for package in npm.packages})
    if missing:
        raise DsvmError(
            f"`{npm.tool}` has no npm package {', '.join(f'`{name}`' for name in missing)}",
            remedy="correct `packages` in its tool.toml: [npm.build]",
        )
    return sorted(package.path for package in npm.packages if package.name in names)


def _keep_modules(package: Path) -> list[str]:
    """Of `build` only the modules: makefiles and objects name times, tools and orders."""
    made = sorted((package / _MADE).glob(f"*{_MODULE}"))
    if not made:
        raise DsvmError(f"nothing was compiled of `{package.name}`: it made no {_MODULE} file")
    kept = package / ".made"
    kept.mkdir()
    for module in made:
        module.rename(kept / module.name)
    shutil.rmtree(package / "build")
    (package / _MADE).parent.mkdir()
    kept.rename(package / _MADE)
    return [module.name for module in made]
