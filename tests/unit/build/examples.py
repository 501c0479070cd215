"""Small real packages, wheels and locks to build from."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from dsvm.lock.model import Lock, LockedEnvironment, OsPackage, OsTree, PythonPackage
from dsvm.store import Store


def make_deb(
    folder: Path,
    name: str,
    *,
    version: str = "1.0-1",
    depends: str = "",
    provides: str = "",
    files: dict[str, str] | None = None,
) -> Path:
    """A package as dpkg-deb builds it; scripts among its files may be run."""
    tree = folder / f"{name}-tree"
    (tree / "DEBIAN").mkdir(parents=True)
    fields = {
        "Package": name,
        "Version": version,
        "Architecture": "all",
        "Maintainer": "Nobody <nobody@example.org>",
        "Depends": depends,
        "Provides": provides,
        "Description": "an example\n of several\n .\n lines",
    }
    control = "".join(f"{key}: {value}\n" for key, value in fields.items() if value)
    (tree / "DEBIAN" / "control").write_text(control)
    for path, text in (files or {}).items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
        (tree / path).chmod(0o755 if text.startswith("#!") else 0o644)
    made = folder / f"{name}.deb"
    words = ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(tree), str(made)]
    subprocess.run(words, check=True, capture_output=True)
    return made


def locked(store: Store, deb: Path, name: str, version: str = "1.0-1") -> OsPackage:
    """The package in the store and as the lock names it."""
    return OsPackage(
        name=name,
        version=version,
        architecture="all",
        sha256=store.put_file(deb),
        size=deb.stat().st_size,
        source="debian/trixie",
        path=f"pool/main/{name}.deb",
    )


def wheel(name: str, content: str) -> PythonPackage:
    digest = hashlib.sha256(content.encode()).hexdigest()
    file = f"{name}-1.0-py3-none-any.whl"
    return PythonPackage(name=name, version="1.0", file=file, sha256=digest, size=1, source="pypi")


def environment(name: str, *wheels: PythonPackage) -> LockedEnvironment:
    return LockedEnvironment(
        name=name,
        variant="cpu",
        python="3.13",
        interpreter=None,
        requirements=(),
        packages=wheels,
        source="pypi",
        why="",
    )


def lock(*packages: OsPackage, environments: tuple[LockedEnvironment, ...] = ()) -> Lock:
    tree = OsTree(suite="trixie", roots=(), packages=packages)
    return Lock(
        version=1,
        request="",
        base="debian-13",
        architecture="amd64",
        os=tree,
        tools_tree=OsTree(suite="trixie", roots=(), packages=()),
        interpreters={},
        environments=environments,
        npm=(),
        artifacts=(),
    )
