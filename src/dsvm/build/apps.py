"""Layers of apps at /opt/dsvm/apps/<tool>: what all of them share, and files from their makers.

Those of npm packages are made in `dsvm.build.npm`.
"""

from __future__ import annotations

import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from dsvm.build import debs, erofs, keys, work
from dsvm.build.tools_tree import ToolsTree
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.lock.model import LockedArtifact
from dsvm.store import Store

SOURCES = ("apps.py", "debs.py", "erofs.py")
APPS = "/opt/dsvm/apps"
# Of the size of the archives: unpacked 6 times, frozen 4.
_UNPACKED = 10
_SMALLEST = 16 * 1024**2


def artifact_key(artifact: LockedArtifact, strip: int, tools_key: str) -> str:
    name = PurePosixPath(artifact.url).name
    parts = {"tool": artifact.tool, "sha256": artifact.sha256, "file": name, "strip": strip}
    return keys.key("artifact", **parts, tools=tools_key, source=keys.source_digest(*SOURCES))


def build_artifact(
    artifact: LockedArtifact, strip: int, tools: ToolsTree, store: Store, home: Home, log: Path
) -> str:
    """Unpack a tar, zip or .deb without its first `strip` folders; any other file is kept as it
    is. No script of a .deb runs."""
    archive = store.get(artifact.sha256)

    def fill(tree: Path) -> None:
        if tarfile.is_tarfile(archive):
            untar(archive, tree, strip)
        elif zipfile.is_zipfile(archive):
            _unzip(archive, tree, strip)
        elif debs.is_deb(archive):
            _undeb(archive, tree, strip, log)
        else:
            target = tree / PurePosixPath(artifact.url).name
            shutil.copyfile(archive, target)
            target.chmod(0o755)

    key = artifact_key(artifact, strip, tools.key)
    return freeze(fill, artifact.size, key, tools, store, home, log)


def freeze(
    fill: Callable[[Path], None],
    size: int,
    key: str,
    tools: ToolsTree,
    store: Store,
    home: Home,
    log: Path,
) -> str:
    """Freeze a new folder that `fill` fills; `size` is that of the archives. Returns the digest."""
    with work.folder(_SMALLEST + _UNPACKED * size, home.cache / "work") as scratch:
        tree = scratch / "tree"
        work.new_folder(tree)
        try:
            fill(tree)
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error) as fault:
            raise DsvmError("an archive could not be unpacked", cause=str(fault)) from fault
        _normalise(tree)
        return erofs.freeze(tree, key, tools, store, owner=0, log=log)


def untar(archive: Path, tree: Path, strip: int) -> None:
    """Unpack without the first `strip` folders; nothing reaches outside of `tree`."""
    with tarfile.open(archive) as tar:
        for member in tar:
            name = _stripped(member.name, strip)
            if name:
                _refuse_detour(tree, name)
                tar.extract(member.replace(name=name), tree, filter="data")


def _undeb(archive: Path, tree: Path, strip: int, log: Path) -> None:
    tar = tree.with_name("files.tar")
    debs.to_tar(archive, tar, log=log)
    untar(tar, tree, strip)
    tar.unlink()


def _refuse_detour(tree: Path, name: str) -> None:
    """Nothing is written through a link: Python's filter looks where one leads, and until
    3.11.13 a long way to go deceived it (CVE-2025-4517)."""
    place = tree / name
    for path in (place, *place.parents):
        if path == tree:
            return
        if path.is_symlink():
            raise DsvmError("an archive could not be unpacked", cause=f"{name} lies behind a link")


def _unzip(archive: Path, tree: Path, strip: int) -> None:
    with zipfile.ZipFile(archive) as zipped:
        for info in zipped.infolist():
            mode = info.external_attr >> 16
            info.filename = _stripped(info.filename, strip) + "/" * info.is_dir()
            if info.filename.strip("/"):
                written = Path(zipped.extract(info, tree))
                if mode & stat.S_IXUSR and written.is_file():
                    written.chmod(0o755)


def _stripped(name: str, strip: int) -> str:
    parts = [part for part in PurePosixPath(name).parts if part != "."]
    return "/".join(parts[strip:])


def below(folder: Path, name: str) -> Path:
    """The path of that name in the folder; raises `DsvmError` when it would lie elsewhere.

    A package's own words say what its commands are called and where they lie, and a lock may come
    from anybody: neither reaches a file of the host.
    """
    if (folder / name).resolve().is_relative_to(folder.resolve()) and ".." not in Path(name).parts:
        return folder / name
    raise DsvmError(
        f"an npm package names `{name}`, which is outside its folder",
        remedy="do not use it before its maker has told why",
    )


def _normalise(tree: Path) -> None:
    """Modes as git knows them: what an archive or an umask made of them says nothing."""
    for path in tree.rglob("*"):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if executable else 0o644)
