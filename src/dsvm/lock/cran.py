"""R packages of a CRAN-like repository: the index, what a package needs, the files' digests.

The repository's format: `src/contrib/PACKAGES.gz` is a list of stanzas (R's read.dcf), a package
is `src/contrib/<Package>_<Version>.tar.gz`. There is no sha256, so all are fetched when locked.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from graphlib import CycleError, TopologicalSorter

from dsvm.catalog.origins import CranNeed
from dsvm.errors import DsvmError
from dsvm.fetch import Limits, take
from dsvm.home import Home
from dsvm.lock.model import LockedCran, OsTree, RPackage
from dsvm.store import Store

CONTRIB = "src/contrib"
# What R itself brings, and what Debian's r-recommended does.
_BASE = """base compiler datasets graphics grDevices grid methods parallel splines stats stats4
tcltk tools utils"""
_RECOMMENDED = """boot class cluster codetools foreign KernSmooth lattice MASS Matrix mgcv nlme nnet
rpart spatial survival"""
OF_R = frozenset(["R", *_BASE.split(), *_RECOMMENDED.split()])
# A tree in which R packages are built; `libcurl4-openssl-dev` and the like are the tool's `build`.
BUILD_ROOTS = ("r-base-core", "r-recommended", "r-base-dev")
_NEEDS = ("Depends", "Imports", "LinkingTo")
_NAME = re.compile(r"\s*([A-Za-z][A-Za-z0-9.]*)\s*(?:\(\s*(>=|>|==|<=|<)\s*([0-9][0-9.-]*)\s*\))?")


@dataclass(frozen=True)
class Entry:
    """One package of the index; `needs` maps a package to the versions it asks for."""

    name: str
    version: str
    md5: str | None
    needs: Mapping[str, tuple[str, str]]

    @property
    def path(self) -> str:
        return f"{CONTRIB}/{self.name}_{self.version}.tar.gz"


def read_index(text: str) -> dict[str, Entry]:
    """The packages by name; of several versions the newest."""
    found: dict[str, Entry] = {}
    for stanza in re.split(r"\n\s*\n", text.strip()):
        joined = re.sub(r"\n[ \t]+", " ", stanza)
        fields = dict(line.split(":", 1) for line in joined.splitlines() if ":" in line)
        fields = {key.strip(): value.strip() for key, value in fields.items()}
        if "Package" not in fields or "Version" not in fields:
            continue
        entry = Entry(fields["Package"], fields["Version"], fields.get("MD5sum"), _needs_of(fields))
        other = found.get(entry.name)
        if other is None or _order(other.version) < _order(entry.version):
            found[entry.name] = entry
    return found


def closure(index: Mapping[str, Entry], roots: Sequence[str]) -> list[Entry]:
    """The packages and all that they need, each after what it needs.

    Raises `DsvmError` for one the repository lacks, or has in too old a version.
    """
    wanted: dict[str, Entry] = {}
    todo = [(name, ("", ""), "the tool") for name in roots]
    while todo:
        name, version, asker = todo.pop()
        if name in OF_R:
            continue
        if name not in index:
            raise DsvmError(
                f"R package `{name}` is not in the repository",
                cause=f"{asker} needs it",
                remedy="correct its name, or take another snapshot",
            )
        entry = index[name]
        if not _satisfies(entry.version, *version):
            raise DsvmError(
                f"R package `{name}` is {entry.version} in the repository",
                cause=f"{asker} needs it {' '.join(version)}",
                remedy="take another snapshot",
            )
        if name not in wanted:
            wanted[name] = entry
            todo += [(need, asked, f"`{name}`") for need, asked in entry.needs.items()]
    graph = {name: sorted(set(one.needs) & set(wanted)) for name, one in sorted(wanted.items())}
    try:
        return [wanted[name] for name in TopologicalSorter(graph).static_order()]
    except CycleError as fault:
        raise DsvmError(
            "R packages need each other in a circle", cause=str(fault.args[1])
        ) from None


def lock_cran(
    tool: str, need: CranNeed, sources: Mapping[str, str], tree: OsTree, home: Home
) -> LockedCran:
    """Resolve and fetch. Raises `FetchFailed` when the repository is not reached, `DsvmError`."""
    snapshot = yesterday()
    root = repository(need.repository, snapshot, sources)
    store = Store(home.store)
    limits = replace(Limits.usual(), tries=2)
    digest, _ = take(f"{root}/{CONTRIB}/PACKAGES.gz", store, limits=limits)
    text = gzip.decompress(store.get(digest).read_bytes()).decode("utf-8", "replace")
    store.discard(digest)  # an index is no locked file
    entries = closure(read_index(text), need.packages)
    with ThreadPoolExecutor(8) as pool:
        files = list(pool.map(lambda one: _fetched(one, root, store, limits), entries))
    names = {entry.name for entry in entries}
    return LockedCran(
        tool=tool,
        repository=need.repository,
        snapshot=snapshot,
        requirements=tuple(need.packages),
        packages=tuple(
            RPackage(
                name=entry.name,
                version=entry.version,
                path=entry.path,
                sha256=sha256,
                size=size,
                needs=tuple(sorted(set(entry.needs) & names)),
            )
            for entry, (sha256, size) in zip(entries, files, strict=True)
        ),
        tree=tree,
    )


def repository(template: str, snapshot: str, sources: Mapping[str, str]) -> str:
    """The address of a repository at a snapshot, `[sources] cran` before the tool's own."""
    return (sources.get("cran") or template).replace("{snapshot}", snapshot).rstrip("/")


def yesterday() -> str:
    """The newest snapshot that certainly exists, wherever its day begins."""
    return (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%d")


def _fetched(entry: Entry, root: str, store: Store, limits: Limits) -> tuple[str, int]:
    sha256, size = take(f"{root}/{entry.path}", store, limits=limits)
    if entry.md5:
        found = hashlib.md5(store.get(sha256).read_bytes(), usedforsecurity=False).hexdigest()
        if found != entry.md5:
            store.discard(sha256)
            raise DsvmError(
                f"R package `{entry.name}` is not the file that its repository's index names",
                cause=f"md5 in the index: {entry.md5}, of the file: {found}",
                remedy="try again later; the repository is between two states",
            )
    return sha256, size


def _needs_of(fields: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for key in _NEEDS:
        for part in fields.get(key, "").split(","):
            if match := _NAME.match(part):
                name, sign, version = match.groups()
                if name not in found or sign:
                    found[name] = (sign or "", version or "")
    return found


def _satisfies(version: str, sign: str, wanted: str) -> bool:
    have, asked = _order(version), _order(wanted)
    match sign:
        case ">=":
            return have >= asked
        case ">":
            return have > asked
        case "<=":
            return have <= asked
        case "<":
            return have < asked
        case "==":
            return have == asked
    return True


def _order(version: str) -> list[int]:
    """R's package versions: numbers between dots and hyphens (numeric_version)."""
    return [int(part) for part in re.split(r"[.-]", version) if part.isdigit()]
