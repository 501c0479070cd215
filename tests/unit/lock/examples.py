"""Small locks and compositions for the tests of this room."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from dsvm.catalog import load_catalog
from dsvm.catalog.compose import Composition, EnvironmentPlan
from dsvm.catalog.model import PythonSource
from dsvm.lock.model import Lock, LockedEnvironment, OsTree, PythonPackage


def wheel(name: str, version: str, source: str = "pypi") -> PythonPackage:
    file = f"{name}-{version}-py3-none-any.whl"
    sha256 = hashlib.sha256(file.encode()).hexdigest()
    return PythonPackage(
        name=name, version=version, file=file, sha256=sha256, size=1, source=source
    )


def environment(name: str, *packages: PythonPackage, **changed: Any) -> LockedEnvironment:
    return LockedEnvironment(
        **{
            "name": name,
            "variant": "cpu",
            "python": "3.13",
            "interpreter": None,
            "requirements": tuple(package.name for package in packages),
            "packages": packages,
            "source": "pypi",
            "why": "pypi: taken",
            **changed,
        }
    )


def example(**changed: Any) -> Lock:
    tree = OsTree(suite="trixie", roots=(), packages=())
    return Lock(
        **{
            "version": 1,
            "request": "0" * 64,
            "base": "debian-13",
            "architecture": "amd64",
            "os": tree,
            "tools_tree": tree,
            "interpreters": {},
            "environments": (),
            "npm": (),
            "artifacts": (),
            **changed,
        }
    )


def plan(name: str, *requirements: str, **changed: Any) -> EnvironmentPlan:
    return EnvironmentPlan(
        **{
            "name": name,
            "python": None,
            "requirements": {"cpu": requirements},
            "sources": (),
            "tools": (),
            "kernel": True,
            "own": True,
            **changed,
        }
    )


def source(name: str, **said: Any) -> PythonSource:
    return PythonSource(name=name, **said)


def composition(**changed: Any) -> Composition:
    return Composition(
        **{
            "base": load_catalog().bases["debian-13"],
            "tools": (),
            "packages": (),
            "environments": (),
            "variants": ("cpu",),
            "sources": {},
            "folder": Path(),
            **changed,
        }
    )
