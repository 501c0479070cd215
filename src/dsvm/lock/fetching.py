"""Puts every locked file in the store: from there, the mirrors, or a dated archive."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from urllib.parse import quote, urlsplit

from packaging.utils import canonicalize_name

from dsvm.catalog import load_catalog
from dsvm.catalog.model import Archive, Base, PythonSource, SourceOnly
from dsvm.errors import DsvmError, ErrorGroup
from dsvm.fetch import Failure, FetchFailed, Limits, Want, download, public
from dsvm.home import Home
from dsvm.lock.apt import ESSENTIAL, FOUNDATION
from dsvm.lock.conda import address
from dsvm.lock.cran import CONTRIB, repository
from dsvm.lock.hints import Hints
from dsvm.lock.hub import fetch_hub
from dsvm.lock.mirrors import mirrors
from dsvm.lock.model import (
    CondaPackage,
    Lock,
    LockedArtifact,
    LockedCran,
    OsPackage,
    OsTree,
    PythonPackage,
    RPackage,
)
from dsvm.lock.npm import fetch_npm
from dsvm.lock.python import HOST, Resolver
from dsvm.lock.pythonhost import python_host
from dsvm.lock.trees import Trees, target_for
from dsvm.programs import ProgramFailed, run
from dsvm.progress import Progress, Silent
from dsvm.store import Store

# A dated archive takes in a new index some hours after it was made; what it has later may have
# lost packages again. So these times after the index's own are asked in turn.
_DELAYS = (timedelta(hours=12), timedelta(), timedelta(days=1), timedelta(days=3))


class OtherArtifact(DsvmError):
    """A maker's address gives another file than the one that was locked."""

    def __init__(self, locked: LockedArtifact, found: str) -> None:
        super().__init__(
            f"the artifact of `{locked.tool}` is not the one that was locked",
            cause=f"{public(locked.url)}\nlocked: sha256 {locked.sha256}\nnow:    sha256 {found}",
            remedy=f"ask its maker why; if the new file is to be trusted, "
            f"`dsvm lock --upgrade {locked.tool}` takes it",
        )


class Vanished(DsvmError):
    """Locked packages that no mirror has any more; `packages` are they."""

    def __init__(self, packages: Sequence[OsPackage], now: Mapping[str, str], dated: bool) -> None:
        shown = [
            f"{p.name} {p.version} is gone"
            + (f"; `dsvm lock --upgrade` would take {now[p.name]}" if p.name in now else "")
            for p in packages[:20]
        ]
        if len(packages) > len(shown):
            shown.append(f"and {len(packages) - len(shown)} more")
        other = (
            "" if dated else ", or name a dated archive that has the old ones: [sources] snapshot"
        )
        count = "one locked package" if len(packages) == 1 else f"{len(packages)} locked packages"
        super().__init__(
            f"{count} vanished from the mirrors",
            cause="\n".join(shown),
            remedy=f"`dsvm lock --upgrade` takes the versions that are there now{other}",
        )
        self.packages = tuple(packages)


def fetch_all(
    lock: Lock,
    home: Home,
    progress: Progress | None = None,
    *,
    sources: Mapping[str, str] | None = None,
    python_sources: Iterable[PythonSource] = (),
    bases: Mapping[str, Base] | None = None,
    limits: Limits | None = None,
) -> None:
    """Put every file of the lock in the store.

    `sources` is `[sources]`, `python_sources` those of the composition's environments (asked only
    for files whose address is not remembered). Raises `Vanished`, `FetchFailed`, `StoreFull`.
    """
    progress = progress or Silent()
    job = _Fetching(
        lock,
        home,
        sources or {},
        {source.name: source for source in python_sources},
        bases or load_catalog().bases,
    )
    store = Store(home.store)
    with store.using():
        try:
            job.download(store, progress, limits)
        except FetchFailed as failed:
            raise job.explained(failed) from failed
        for npm in lock.npm:
            fetch_npm(npm, job.sources, home)
        for hub in lock.hub:
            fetch_hub(hub, home, progress)


@dataclass(frozen=True)
class _Fetching:
    lock: Lock
    home: Home
    sources: Mapping[str, str]
    python_sources: Mapping[str, PythonSource]
    bases: Mapping[str, Base]

    def download(self, store: Store, progress: Progress, limits: Limits | None) -> None:
        """Fetch what is missing; wheels that are no longer where they were are looked for."""
        failures: list[Failure] = []
        wheels = {p.sha256: (env.python, p) for env in self.lock.environments for p in env.packages}
        wheels = {k: v for k, v in wheels.items() if not store.sound(k, v[1].size)}
        hints = Hints(self.home)
        unplaced = {k: v for k, v in wheels.items() if hints.get(k) is None}
        self._find_again(unplaced, hints)
        wants = [
            *(self._deb(tree, p) for tree, p in self._debs() if not store.sound(p.sha256, p.size)),
            *(_wheel(package, hints) for _, package in wheels.values()),
            *(
                Want(f"artifact of {a.tool}", a.sha256, a.size, (a.url, *a.mirrors), whole=True)
                for a in self.lock.artifacts
            ),
            *(_conda(p, self.sources) for one in self.lock.conda for p in one.packages),
            *(_r_package(one, p, self.sources) for one in self.lock.cran for p in one.packages),
        ]
        try:
            download(wants, store, progress, limits=limits)
        except FetchFailed as failed:
            failures = [f for f in failed.failures if f.want.sha256 not in wheels]
            lost = {f.want.sha256 for f in failed.failures} & wheels.keys() - unplaced.keys()
            if not lost:
                raise
            self._find_again({k: wheels[k] for k in lost}, hints)
            again = [_wheel(package, hints) for _, package in wheels.values()]
            try:
                download(again, store, progress, limits=limits)
            except FetchFailed as still:
                failures += still.failures
        if failures:
            raise FetchFailed(failures)

    def explained(self, failed: FetchFailed) -> DsvmError:
        """`OtherArtifact` or `Vanished` if nothing else is missing, else the failure itself."""
        if others := self._other_artifacts(failed):
            return others
        gone = {failure.want.sha256 for failure in failed.failures if failure.gone}
        affected = [(tree, p) for tree, p in self._debs() if p.sha256 in gone]
        packages = list({package.sha256: package for _, package in affected}.values())
        if len(packages) < len(failed.failures):
            return failed
        now: dict[str, str] = {}
        for tree in {id(tree): tree for tree, _ in affected}.values():
            now |= self._versions_now(tree)
        return Vanished(packages, now, "snapshot" in self.sources)

    def _other_artifacts(self, failed: FetchFailed) -> DsvmError | None:
        locked = {file.sha256: file for file in self.lock.artifacts}
        others = [
            OtherArtifact(locked[failure.want.sha256], failure.found)
            for failure in failed.failures
            if failure.found and failure.want.sha256 in locked
        ]
        rest = [f for f in failed.failures if not (f.found and f.want.sha256 in locked)]
        if not others:
            return None
        more = [self.explained(FetchFailed(rest))] if rest else []
        return ErrorGroup([*others, *more]) if len(others) + len(more) > 1 else others[0]

    def _versions_now(self, tree: OsTree) -> dict[str, str]:
        base = next(base for base in self.bases.values() if base.suite == tree.suite)
        base = base.with_driver() if self.lock.driver else base
        trees = Trees(self.bases, self.sources, self.home, at_once=True)
        more: tuple[str, ...] = FOUNDATION if tree is self.lock.os else ()
        if any(tree is builder for builder in self.lock.builders.values()):
            more = ESSENTIAL
        try:
            found = trees.root(base).resolve([*more, *tree.roots])
        except DsvmError:
            return {}  # the mirror has more faults than the one that is being reported
        return {package.name: package.version for package in found}

    def _debs(self) -> list[tuple[OsTree, OsPackage]]:
        return [(tree, package) for tree in self.lock.trees for package in tree.packages]

    def _deb(self, tree: OsTree, package: OsPackage) -> Want:
        base, archive = self._archive(package.source)
        path = quote(package.path, safe="/~+%:")
        mirror = mirrors(base, self.sources)[archive.name]
        urls = [f"{mirror}/{path}"]
        if "snapshot" in self.sources:
            root = f"{self.sources['snapshot'].rstrip('/')}/{archive.like}"
            made = tree.dated.get(package.source)
            urls += [f"{root}/{moment}/{path}" for moment in _moments(made)]
        name = f"{package.name} {package.version}"
        return Want(name, package.sha256, package.size, tuple(urls), _apt_proxy(urls[0]))

    def _archive(self, source: str) -> tuple[Base, Archive]:
        name, _, suite = source.partition("/")
        for base in self.bases.values():
            for archive in base.with_driver().archives:
                if archive.name == name and suite in archive.suites:
                    return base, archive
        raise DsvmError(
            f"the lock names `{source}`, which no base has",
            remedy="`dsvm lock --upgrade` locks what this dsvm knows",
        )

    def _find_again(self, wheels: Mapping[str, tuple[str, PythonPackage]], hints: Hints) -> None:
        """Ask the host's sources where these wheels are now. Raises `DsvmError`."""
        groups: dict[tuple[str, str, int], list[PythonPackage]] = defaultdict(list)
        count: Counter[tuple[str, str, str]] = Counter()
        for python, package in wheels.values():
            # Environments may have different versions of one package, which no one answer has.
            turn = count[python, package.source, package.name]
            count[python, package.source, package.name] += 1
            groups[python, package.source, turn].append(package)
        for (python, name, _), packages in groups.items():
            host = python_host(self.sources)
            resolver = Resolver(host, self.home, hints, self.sources, refresh=True)
            target, _ = target_for(python, self.bases[self.lock.base], self.bases)
            source = self.python_sources.get(name, HOST)
            try:
                found = resolver.find_again(packages, target, source, self._source_only(packages))
            except ProgramFailed as failed:
                raise DsvmError(
                    f"locked Python packages of the source `{name}` are not found again",
                    cause=failed.cause,
                    remedy="see that the source is reached; if it no longer has them, "
                    "`dsvm lock --upgrade` takes what it has now",
                ) from failed
            for wheel in found:
                hints.add(wheel.sha256, wheel.url)
        hints.save()

    def _source_only(self, packages: Iterable[PythonPackage]) -> list[SourceOnly]:
        names = {package.name for package in packages}
        found = (one for env in self.lock.environments for one in env.source_only)
        return [one for one in found if canonicalize_name(one.package) in names]


def _conda(package: CondaPackage, sources: Mapping[str, str]) -> Want:
    name = f"conda package {package.name} {package.version}"
    url = f"{address(package.channel, sources)}/{package.path}"
    return Want(name, package.sha256, package.size, (url,))


def _r_package(cran: LockedCran, package: RPackage, sources: Mapping[str, str]) -> Want:
    root = repository(cran.repository, cran.snapshot, sources)
    name = f"R package {package.name} {package.version}"
    # The main repository moves what is no longer the newest there.
    archived = f"{root}/{CONTRIB}/Archive/{package.name}/{package.path.rpartition('/')[2]}"
    return Want(name, package.sha256, package.size, (f"{root}/{package.path}", archived))


def _wheel(package: PythonPackage, hints: Hints) -> Want:
    url = hints.get(package.sha256)
    return Want(package.file, package.sha256, package.size, (url,) if url else ())


def _moments(made: str | None) -> list[str]:
    form = "%Y%m%dT%H%M%SZ"
    if made is None:
        return [datetime.now(UTC).strftime(form)]
    at = datetime.strptime(made, form).replace(tzinfo=UTC)
    return [(at + delay).strftime(form) for delay in _DELAYS]


def _apt_proxy(url: str) -> str | None:
    """The proxy that the host's apt uses for the address, if it names one of its own."""
    parts = urlsplit(url)
    return _proxies().get(f"{parts.scheme}/{parts.hostname}") or _proxies().get(parts.scheme)


@cache
def _proxies() -> dict[str, str]:
    """`Acquire::http::Proxy` and `Acquire::http::Proxy::<host>` (apt-transport-http(1))."""
    found = {}
    for line in run(["apt-config", "dump", "Acquire"]).stdout.splitlines():
        key, _, value = line.partition(" ")
        words = key.split("::")
        address = value.strip().strip(';"')
        if words[0] == "Acquire" and words[2:3] == ["Proxy"] and address.startswith("http"):
            found["/".join([words[1].lower(), *words[3:]])] = address
    return found
