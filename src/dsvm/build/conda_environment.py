"""A conda environment as a layer: installed by rattler as if at /opt/dsvm/envs/<name>, then frozen.

No script of a package runs. What rattler notes of the files it took (where they lay on this host,
when) is left out, so that the same packages give the same bytes.
"""

from __future__ import annotations

import asyncio
import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from dsvm.build import erofs, keys, work
from dsvm.build.environment import ENVIRONMENTS, LOGIN_UID
from dsvm.build.tools_tree import ToolsTree
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.lock.model import CondaPackage, LockedConda
from dsvm.store import Store

if TYPE_CHECKING:
    from rattler import RepoDataRecord

SOURCES = ("conda_environment.py", "erofs.py")
# Of the size of the packages: in rattler's cache 6 times, linked from there, frozen 4.
_UNPACKED = 14
_SMALLEST = 64 * 1024**2
_OF_THIS_HOST = ("extracted_package_dir", "package_tarball_full_path", "link")


def conda_key(conda: LockedConda, tools_key: str) -> str:
    return keys.key(
        "conda",
        name=conda.environment,
        packages=[[package.path, package.sha256] for package in conda.packages],
        tools=tools_key,
        rattler=version("py-rattler"),
        source=keys.source_digest(*SOURCES),
    )


def build_conda(conda: LockedConda, tools: ToolsTree, store: Store, home: Home, log: Path) -> str:
    """Install the locked packages, put the layer in the store. Raises `DsvmError`."""
    needed = _SMALLEST + _UNPACKED * sum(package.size for package in conda.packages)
    with work.folder(needed, home.cache / "work") as scratch:
        tree = scratch / "tree"
        work.new_folder(tree)
        lay_out(conda, tree, store, scratch)
        key = conda_key(conda, tools.key)
        return erofs.freeze(tree, key, tools, store, owner=LOGIN_UID, log=log)


def lay_out(conda: LockedConda, tree: Path, store: Store, scratch: Path) -> None:
    """Install into an empty folder what the layer will hold; `scratch` is for rattler's cache."""
    _install(conda, tree, store, scratch)
    _normalise(tree)


def _install(conda: LockedConda, tree: Path, store: Store, scratch: Path) -> None:
    from rattler import exceptions, install

    files = scratch / "packages"
    try:
        asyncio.run(
            install(
                [_record(package, store, files) for package in conda.packages],
                target_prefix=tree,
                cache_dir=scratch / "cache",
                installed_packages=[],
                execute_link_scripts=False,
                show_progress=False,
                alternative_target_prefix=f"{ENVIRONMENTS}/{conda.environment}",
            )
        )
    except (exceptions.InstallerError, exceptions.TransactionError, exceptions.LinkError) as fault:
        raise DsvmError(
            f"the conda environment `{conda.environment}` could not be installed",
            cause=str(fault),
        ) from fault


def _record(package: CondaPackage, store: Store, files: Path) -> RepoDataRecord:
    """As the channel's index has it, but the file is the store's."""
    from rattler import BuildString, PackageRecord, RepoDataRecord

    subdir, name = package.path.split("/")
    link = files / subdir / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(store.get(package.sha256))
    record = PackageRecord(
        name=package.name,
        version=package.version,
        build=BuildString(package.build),
        build_number=package.build_number,
        subdir=subdir,
        noarch=package.noarch,
        depends=list(package.depends),
        sha256=bytes.fromhex(package.sha256),
        size=package.size,
    )
    return RepoDataRecord(record, name, link.as_uri(), package.channel)


def _normalise(tree: Path) -> None:
    for note in (tree / "conda-meta").iterdir():
        if note.suffix != ".json":
            note.unlink()
            continue
        said = json.loads(note.read_text())
        kept = {key: value for key, value in said.items() if key not in _OF_THIS_HOST}
        kept["url"] = f"{kept['channel'].rstrip('/')}/{kept['subdir']}/{kept['fn']}"
        note.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
