"""Layers of npm packages at /opt/dsvm/apps/<tool>.

npm's lock says where in the tree each tarball belongs (`node_modules/a/node_modules/b`), so the
tree is laid out from it without Node.js: the same bytes from any host. No install script runs; the
lock has refused packages that need theirs. What is native is compiled by `dsvm.build.native`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dsvm.build import apps, keys, native, package_set
from dsvm.build.tools_tree import ToolsTree
from dsvm.catalog.model import NpmNeed
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.lock.model import LockedNpm, NpmPackage
from dsvm.lock.npminner import all_entries
from dsvm.store import Store

SOURCES = (*apps.SOURCES, "npm.py")


def npm_key(npm: LockedNpm, need: NpmNeed, tools_key: str) -> str:
    parts: dict[str, object] = {"tool": npm.tool, "files": _files(npm), "tools": tools_key}
    sources: tuple[str, ...] = SOURCES
    if need.remove or need.links:
        parts |= {"remove": need.remove, "links": need.links}
    if npm.build and need.build:
        parts["build"] = [need.build.node, sorted(need.build.packages)]
        parts["with"] = [keys.debs(npm.build.os.packages), _files(npm.build.npm)]
        sources = (*sources, *native.SOURCES, *package_set.SOURCES)
    return keys.key("npm", **parts, source=keys.source_digest(*sources))


def build_npm(
    npm: LockedNpm, need: NpmNeed, tools: ToolsTree, store: Store, home: Home, log: Path
) -> str:
    """Lay out npm packages with their commands in `node_modules/.bin`, compile what is native, put
    the layer in the store, return its digest. Raises `DsvmError`."""

    def fill(tree: Path) -> None:
        lay_out(npm.packages, all_entries(npm, store), tree, store)
        if npm.build and need.build:
            helpers = npm.build.npm
            with native.workbench(tree) as bench:
                lay_out(helpers.packages, all_entries(helpers, store), bench, store)
                native.compile_packages(npm, npm.build, need.build, tree, bench, store, home, log)
        _remove(tree, need.remove, npm.tool)
        _link(tree, need.links)

    size = sum(package.size for package in npm.packages)
    return apps.freeze(fill, size, npm_key(npm, need, tools.key), tools, store, home, log)


def lay_out(
    packages: Iterable[NpmPackage], entries: Mapping[str, Any], tree: Path, store: Store
) -> None:
    """Unpack each package at its place, with the commands that its entry in the lock names."""
    for package in sorted(packages, key=lambda package: package.path):
        folder = apps.below(tree, package.path)
        folder.mkdir(parents=True, exist_ok=True)
        apps.untar(store.get(package.sha256), folder, strip=1)
        _link_commands(folder, entries[package.path].get("bin", {}))


def _files(npm: LockedNpm) -> list[list[str]]:
    return sorted([package.path, package.sha256] for package in npm.packages)


def _link_commands(folder: Path, commands: Mapping[str, str]) -> None:
    """As npm does: `node_modules/.bin/<command>` beside the package, which is made executable."""
    modules = next(parent for parent in folder.parents if parent.name == "node_modules")
    (modules / ".bin").mkdir(exist_ok=True)
    for command, program in commands.items():
        target = apps.below(folder, program)
        target.chmod(0o755)
        link = apps.below(modules / ".bin", command)
        link.unlink(missing_ok=True)
        link.symlink_to(Path("..") / target.relative_to(modules))


def _remove(tree: Path, patterns: Iterable[str], tool: str) -> None:
    """Raises `DsvmError` for a pattern that names nothing: a new version has moved it."""
    for pattern in patterns:
        found = sorted(tree.glob(pattern))
        if not found:
            raise DsvmError(
                f"`{tool}` has nothing at `{pattern}`",
                remedy="correct `remove` in its tool.toml: [npm]",
            )
        for path in found:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _link(tree: Path, links: Mapping[str, str]) -> None:
    for name, target in links.items():
        link = apps.below(tree, name)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)
