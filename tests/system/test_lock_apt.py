"""OS packages out of a signed archive, also when it has moved on since they were locked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dsvm.catalog.model import Archive as BaseArchive
from dsvm.catalog.model import Base
from dsvm.errors import DsvmError
from dsvm.fetch import FetchFailed, Limits
from dsvm.home import Home
from dsvm.lock import Vanished, diff, fetch_all, lock_text, make_lock
from dsvm.lock.model import Lock
from dsvm.lock.trees import tools_roots
from dsvm.store import Store
from tests.system.faulty import WAYS, faulty
from tests.system.lock_support import Archive, Server, serving
from tests.unit.lock.examples import composition

MADE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
pytestmark = pytest.mark.skipif(
    not shutil.which("gpg") or not shutil.which("apt-get"), reason="needs gpg and apt"
)


@dataclass
class Lab:
    """A host whose one archive is the test's."""

    archive: Archive
    server: Server
    home: Home
    sources: dict[str, str] = field(default_factory=dict)

    @property
    def base(self) -> Base:
        return Base(
            name=tools_roots()[0],
            title="Test 1",
            suite="test",
            keyring=str(self.archive.keyring),
            keyring_package="test-archive-keyring",
            archives=[
                BaseArchive(name="main", like="debian", suites=["test"], components=["main"])
            ],
            python="3.13",
            glibc="2.41",
            python_packages=[],
            packages=[],
            image_packages=[],
            kernel="",
        )

    def lock(
        self, *packages: str, old: Lock | None = None, upgrade: frozenset[str] | None = frozenset()
    ) -> Lock:
        asked = composition(base=self.base, packages=packages, sources=self.sources)
        bases = {self.base.name: self.base}
        return make_lock(asked, self.home, old=old, upgrade=upgrade, bases=bases)

    def fetch(self, lock: Lock) -> None:
        bases = {self.base.name: self.base}
        quick = Limits(tries=2, pause_s=0.01, silence_s=2)
        fetch_all(lock, self.home, sources=self.sources, bases=bases, limits=quick)

    def forget_indexes(self) -> None:
        """As if the indexes were no longer fresh."""
        for stamp in self.home.cache.glob("apt/*/updated"):
            stamp.unlink()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive with its key, made once; tests work on copies."""
    folder = tmp_path_factory.mktemp("archive")
    archive = Archive(folder / "debian", folder / "keys")
    archive.make_key()
    for name in (*tools_roots()[1], "apt"):
        archive.add(name)
    archive.add("foundation", Essential="yes")
    archive.add("needed", Priority="required")
    archive.add("hello", "1.0", Depends="libhello (>= 1)", Recommends="chatty")
    archive.add("libhello", "1:1.0-1+b1")
    archive.add("chatty")
    archive.publish(MADE)
    yield archive
    archive.close()


@pytest.fixture
def lab(made: Archive, tmp_path: Path) -> Iterator[Lab]:
    shutil.copytree(made.root, tmp_path / "web" / "debian")
    archive = Archive(tmp_path / "web" / "debian", made.keys, dict(made.debs))
    (tmp_path / "build").mkdir()
    with serving(tmp_path / "web") as server:
        yield Lab(archive, server, Home(tmp_path / "home"), {"main": server.url("debian")})
    shutil.rmtree(made.keys.parent / "build", ignore_errors=True)


def names(lock: Lock) -> list[str]:
    return [package.name for package in lock.os.packages]


def test_a_lock_holds_what_a_system_needs_and_no_recommendation(lab: Lab) -> None:
    lock = lab.lock("hello")
    assert names(lock) == ["apt", "foundation", "hello", "libhello", "needed"]
    assert [p.name for p in lock.tools_tree.packages] == sorted(tools_roots()[1])
    library = lock.os.packages[3]
    assert (library.version, library.source) == ("1:1.0-1+b1", "main/test")
    assert library.path == "pool/libhello_1:1.0-1+b1_all.deb"
    assert lock.os.dated == {"main/test": "20260102T030405Z"}
    lab.fetch(lock)
    store = Store(lab.home.store)
    for package in lock.os.packages:
        store.verify(package.sha256)


def test_an_archive_on_this_disk_serves_as_well(lab: Lab) -> None:
    served = lab.lock("hello")
    lab.sources["main"] = lab.archive.root.as_uri()
    lock = lab.lock("hello")
    assert lock == served
    lab.fetch(lock)


def test_fresh_indexes_are_not_fetched_again(lab: Lab) -> None:
    old = lab.lock("hello")
    lab.server.asked.clear()
    assert lab.lock("hello", old=old) is old
    assert names(lab.lock("hello", "chatty", old=old)) == sorted([*names(old), "chatty"])
    assert lab.server.asked == []


def test_an_unknown_package_is_named_with_the_nearest(lab: Lab) -> None:
    with pytest.raises(DsvmError, match="Test 1 has no OS package `helo`") as unknown:
        lab.lock("helo")
    assert "did you mean `hello`" in (unknown.value.remedy or "")


def test_packages_that_exclude_each_other_are_refused(lab: Lab) -> None:
    lab.archive.add("rival", Conflicts="hello")
    lab.archive.publish()
    with pytest.raises(DsvmError, match="do not go together"):
        lab.lock("hello", "rival")


def test_an_index_signed_by_another_key_is_refused(lab: Lab, tmp_path: Path) -> None:
    other = Archive(tmp_path / "other", tmp_path / "keys")
    other.make_key()
    other.close()
    lab.archive.keys = other.keys
    with pytest.raises(DsvmError, match="indexes of Test 1 could not be fetched") as refused:
        lab.lock("hello")
    assert refused.value.remedy == "install a newer `test-archive-keyring`"


def test_an_index_changed_after_signing_is_refused(lab: Lab) -> None:
    index = lab.archive.root / "dists/test/main/binary-amd64/Packages"
    index.write_text(index.read_text().replace("Package: hello", "Package: hollo"))
    with pytest.raises(DsvmError, match="could not be fetched"):
        lab.lock("hello")


def test_a_mirror_that_is_not_there_is_named(lab: Lab) -> None:
    lab.sources["main"] = "http://127.0.0.1:1/debian"
    with pytest.raises(DsvmError, match="could not be fetched") as refused:
        lab.lock("hello")
    assert "[sources]: main" in (refused.value.remedy or "")


@pytest.mark.parametrize("way", WAYS)
def test_a_mirror_that_misbehaves_is_named_after_few_tries(
    lab: Lab, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = 'Acquire::Retries "1";\nAcquire::http::Timeout "1";\n'
    (tmp_path / "apt.conf").write_text(impatient)
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    if way == "drips":  # never silent: only the time for all of it ends it
        monkeypatch.setenv("DSVM_PATIENCE", "0.01")
    with faulty(way) as server:
        lab.sources["main"] = server.url("debian")
        with pytest.raises(DsvmError, match="could not be fetched") as refused:
            lab.lock("hello")

    # The index by its two names; apt tries each twice, and again on a new connection.
    assert 1 <= len(server.asked) <= 8
    told = "did not end within 9 s" if way == "drips" else f"127.0.0.1:{server.server_port}"
    assert told in (refused.value.cause or "")
    assert "[sources]: main" in (refused.value.remedy or "")
    assert ("DSVM_PATIENCE" in (refused.value.remedy or "")) == (way == "drips")


def test_a_file_that_differs_from_the_index_is_refused(lab: Lab) -> None:
    lock = lab.lock("hello")
    deb = lab.archive.root / "pool/hello_1.0_all.deb"
    deb.write_bytes(bytes(deb.stat().st_size))
    with pytest.raises(FetchFailed, match="sha256 differs"):
        lab.fetch(lock)


def test_old_versions_stay_until_they_are_upgraded(lab: Lab) -> None:
    old = lab.lock("hello")
    lab.archive.add("hello", "1.1", Depends="libhello")
    lab.archive.publish()
    lab.forget_indexes()
    more = lab.lock("hello", "chatty", old=old)
    assert [str(change) for change in diff(old, more)] == ["os: chatty 1.0 added"]
    new = lab.lock("hello", old=old, upgrade=frozenset({"hello"}))
    assert [str(change) for change in diff(old, new)] == ["os: hello 1.0 -> 1.1 upgraded"]


def test_a_new_package_may_move_an_old_one(lab: Lab) -> None:
    old = lab.lock("hello")
    lab.archive.add("libhello", "1:2.0")
    lab.archive.add("newer", Depends="libhello (>= 1:2)")
    lab.archive.publish()
    lab.forget_indexes()
    assert [str(change) for change in diff(old, lab.lock("hello", "newer", old=old))] == [
        "os: libhello 1:1.0-1+b1 -> 1:2.0 upgraded",
        "os: newer 1.0 added",
    ]


def moved_on(lab: Lab) -> Lock:
    """A lock whose `hello` has since been replaced on the mirror."""
    lock = lab.lock("hello")
    shutil.copytree(lab.archive.root, lab.archive.root.parent / "archive/debian/20260102T090000Z")
    lab.archive.remove("hello", "1.0")
    lab.archive.add("hello", "1.1", Depends="libhello")
    lab.archive.publish(MADE + timedelta(days=30))
    return lock


def test_a_vanished_version_is_named_with_what_an_upgrade_would_take(lab: Lab) -> None:
    lock = moved_on(lab)
    with pytest.raises(Vanished) as vanished:
        lab.fetch(lock)
    text = str(vanished.value)
    assert "one locked package vanished" in text
    assert "hello 1.0 is gone; `dsvm lock --upgrade` would take 1.1" in text
    assert "[sources] snapshot" in text


def test_a_vanished_version_comes_from_the_store_if_it_is_there(lab: Lab) -> None:
    lab.fetch(lab.lock("hello"))
    lab.fetch(moved_on(lab))


def test_a_vanished_version_comes_from_a_dated_archive(lab: Lab) -> None:
    lock = moved_on(lab)
    lab.sources["snapshot"] = lab.server.url("archive")
    lab.fetch(lock)
    hello = next(package for package in lock.os.packages if package.name == "hello")
    assert Store(lab.home.store).has(hello.sha256)


def test_a_mirrors_password_reaches_neither_lock_nor_log(lab: Lab) -> None:
    lab.server.password = "ada:geheim"
    lab.sources["main"] = lab.server.url("debian", user="ada:geheim")
    lock = lab.lock("hello")
    lab.fetch(lock)
    assert "geheim" not in lock_text(lock)
    logs = list(lab.home.logs.rglob("*.log"))
    assert logs
    assert not [log for log in logs if "geheim" in log.read_text()]
    for root in lab.home.cache.glob("apt/*"):
        assert root.stat().st_mode & 0o077 == 0
    lab.server.password = "ada:changed"
    with pytest.raises(DsvmError) as refused:
        lab.lock("hello", upgrade=None)
    assert "geheim" not in str(refused.value)
