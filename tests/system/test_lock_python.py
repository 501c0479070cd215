"""Python environments out of a local index, in the order of their sources, and npm packages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsvm.catalog.model import SourceOnly
from dsvm.errors import DsvmError
from dsvm.lock import fetch_all
from dsvm.lock.npm import fetch_npm, lock_npm
from dsvm.programs import run
from dsvm.store import Store
from tests.system.faulty import WAYS, faulty
from tests.system.lock_lab import Lab, made, target_of, versions
from tests.system.lock_support import (
    archive,
    index,
    npm_package,
    npm_tool,
)
from tests.unit.lock.examples import environment, example, plan, source
from tests.unit.lock.examples import wheel as pin


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with made(tmp_path) as found:
        yield found


def test_an_environment_is_locked_with_all_it_needs(lab: Lab) -> None:
    lab.offer("pypi", "tensors", "2.0", needs="numbers>=1")
    path = lab.offer("pypi", "numbers", "1.5", tag="cp313-cp313-manylinux_2_28_x86_64")
    lab.offer("pypi", "numbers", "1.6", tag="cp312-cp312-manylinux_2_28_x86_64")
    locked = lab.lock(plan("lab", "tensors"))
    assert versions(locked) == {"numbers": "1.5", "tensors": "2.0"}
    assert (locked.python, locked.interpreter, locked.source) == ("3.13", None, "pypi")
    numbers = locked.packages[0]
    assert (numbers.file, numbers.size) == (path.name, path.stat().st_size)


def test_old_versions_stay_where_they_fit(lab: Lab) -> None:
    lab.offer("pypi", "numbers", "1.5")
    old = lab.lock(plan("lab", "numbers")).packages
    lab.offer("pypi", "numbers", "1.6")
    assert versions(lab.lock(plan("lab", "numbers"), *old)) == {"numbers": "1.5"}
    assert versions(lab.lock(plan("lab", "numbers>1.5"), *old)) == {"numbers": "1.6"}
    assert versions(lab.lock(plan("lab", "numbers"))) == {"numbers": "1.6"}


def test_a_persons_own_constraints_hold(lab: Lab) -> None:
    for version in ("1.5", "1.6"):
        lab.offer("pypi", "numbers", version)
    held = plan("lab", "numbers", constraints=("numbers<1.6", "never-asked-for==3"))
    assert versions(lab.lock(held)) == {"numbers": "1.5"}


def test_old_versions_stay_where_another_index_has_no_fitting_wheel_of_them(lab: Lab) -> None:
    for version in ("1.4", "1.5"):
        lab.offer("pypi", "numbers", version, tag="cp313-cp313-manylinux_2_28_x86_64")
    lab.offer("extra", "numbers", "1.5", tag="cp311-cp311-manylinux_2_28_x86_64")
    lab.offer("pypi", "tensors", "2.0")
    extra = lab.server.url("extra/simple")
    lab.more_env = {"UV_INDEX": extra, "UV_INDEX_STRATEGY": "unsafe-best-match"}
    old = lab.lock(plan("lab", "numbers")).packages
    assert [package.version for package in old] == ["1.5"]
    new = lab.lock(plan("lab", "numbers", "tensors"), *old)
    assert versions(new) == {"numbers": "1.5", "tensors": "2.0"}


def test_what_cannot_be_resolved_names_the_environment(lab: Lab) -> None:
    lab.offer("pypi", "numbers", "1.5")
    with pytest.raises(DsvmError, match=r"environment `lab` \(cpu\) cannot be locked") as failed:
        lab.lock(plan("lab", "numbers>2"))
    assert "numbers" in (failed.value.cause or "")
    assert failed.value.log
    assert failed.value.log.exists()


def test_tools_that_cannot_share_an_environment_are_told_apart(lab: Lab) -> None:
    for version in ("1.5", "2.0"):
        lab.offer("pypi", "numbers", version)
    lab.offer("pypi", "tensors", "2.0", needs="numbers>=2")
    lab.offer("pypi", "trees", "1.0")
    asked = {"wood": ("trees",), "abacus": ("numbers<2",), "nets": ("tensors", "trees")}
    texts = [text for each in asked.values() for text in each]

    with pytest.raises(DsvmError) as failed:
        lab.lock(plan("lab", *texts, tools=tuple(asked), asked={"cpu": asked}))

    assert failed.value.what == "`abacus` and `nets` cannot share the environment `lab` (cpu)"
    cause = (failed.value.cause or "").splitlines()
    assert cause[:3] == [
        "they clash in numbers",
        "abacus: asks for numbers<2; alone it has numbers 1.5",
        "nets: asks for tensors, trees (not by name); alone it has numbers 2.0",
    ]
    assert "tensors" in " ".join(cause[3:])  # the resolver's own words: who brings it
    assert "give `nets` an environment of its own" in (failed.value.remedy or "")


def test_a_tool_that_fails_alone_is_no_clash(lab: Lab) -> None:
    lab.offer("pypi", "numbers", "1.5")
    asked = {"abacus": ("numbers",), "nets": ("tensors",)}

    with pytest.raises(DsvmError, match=r"environment `lab` \(cpu\) cannot be locked"):
        lab.lock(plan("lab", "numbers", "tensors", tools=tuple(asked), asked={"cpu": asked}))


@pytest.mark.parametrize("way", WAYS)
def test_an_index_that_misbehaves_is_named_after_few_tries(
    lab: Lab, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.more_env = {"UV_HTTP_TIMEOUT": "1", "UV_HTTP_RETRIES": "1"}
    if way == "drips":  # never silent: only the time for all of it ends it
        monkeypatch.setenv("DSVM_PATIENCE", "0.01")
    with faulty(way) as server:
        lab.index = server.url("simple")
        with pytest.raises(DsvmError, match="cannot be locked") as refused:
            lab.lock(plan("lab", "numbers"))

    assert 1 <= len(server.asked) <= 6
    assert f"asked: http://127.0.0.1:{server.server_port}" in (refused.value.remedy or "")
    assert ("did not end within 6 s" in (refused.value.cause or "")) == (way == "drips")
    assert refused.value.log


SOURCES = (
    source("cpu-index", index="http://127.0.0.1:1/cpu", packages=["tensors"]),
    source("wheels", host="find-links", packages=["tensors"], python="3.11"),
    source("pypi", host="index", packages=["tensors"]),
)


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_tools_index_gives_its_own_packages_and_nothing_else(lab: Lab, on_disk: bool) -> None:
    folder = (lab.web / "cpu/simple").as_uri()
    lab.overrides["cpu-index"] = folder if on_disk else lab.server.url("cpu/simple")
    lab.offer("cpu", "tensors", "2.0+cpu", needs="numbers")
    lab.offer("cpu", "numbers", "9.9")
    lab.offer("pypi", "numbers", "1.5")
    lab.offer("pypi", "tensors", "3.0")
    locked = lab.lock(plan("lab", "tensors", sources=SOURCES))
    assert versions(locked) == {"numbers": "1.5", "tensors": "2.0+cpu"}
    assert {p.name: p.source for p in locked.packages} == {
        "numbers": "pypi",
        "tensors": "cpu-index",
    }
    assert (locked.source, locked.why) == (
        "cpu-index",
        "cpu-index: tensors 2.0+cpu for Python 3.13",
    )


def test_the_next_source_is_taken_and_the_lock_says_why(lab: Lab) -> None:
    folder = lab.offer("shelf", "tensors", "2.0+cpu", tag="cp311-cp311-linux_x86_64").parent
    lab.find_links = (str(folder),)
    lab.offer("pypi", "tensors", "3.0")
    locked = lab.lock(plan("lab", "tensors", sources=SOURCES))
    assert locked.why == "cpu-index: not reached; wheels: tensors 2.0+cpu for Python 3.11"
    assert (locked.python, locked.interpreter) == ("3.11", "3.11")


def test_the_last_source_is_the_index_without_the_hosts_wheels(lab: Lab) -> None:
    lab.find_links = (str(lab.offer("shelf", "tensors", "9.0", tag="cp39-cp39-any").parent),)
    lab.offer("pypi", "tensors", "3.0", needs="numbers")
    lab.offer("pypi", "numbers", "1.5")
    locked = lab.lock(plan("lab", "tensors", sources=SOURCES))
    assert versions(locked) == {"numbers": "1.5", "tensors": "3.0"}
    assert locked.why == (
        "cpu-index: not reached; wheels: does not have what is needed; "
        "pypi: tensors 3.0 for Python 3.13"
    )


def test_the_hosts_wheels_count_where_no_source_is_named(lab: Lab) -> None:
    lab.find_links = (str(lab.offer("shelf", "tensors", "9.0").parent),)
    lab.offer("pypi", "tensors", "3.0")
    assert versions(lab.lock(plan("lab", "tensors"))) == {"tensors": "9.0"}


def test_the_address_of_a_locked_wheel_is_found_again(lab: Lab) -> None:
    lab.offer("pypi", "numbers", "1.5")
    [numbers] = lab.lock(plan("lab", "numbers")).packages
    lab.offer("pypi", "numbers", "1.6")
    [found] = lab.resolver.find_again([numbers], target_of(None)[0], source("pypi"))
    assert (found.sha256, found.file) == (numbers.sha256, numbers.file)
    assert found.url.endswith(numbers.file)


def test_a_wheel_that_moved_since_it_was_locked_is_fetched(lab: Lab) -> None:
    path = lab.offer("pypi", "numbers", "1.5")
    resolver = lab.resolver
    locked = resolver.environment(plan("lab", "numbers"), "cpu", target_of)
    resolver.hints.save()
    lock = example(environments=(locked,))
    moved = lab.web / "pypi" / "simple" / "numbers"
    path.rename(moved / path.name)
    page = (moved / "index.html").read_text()
    (moved / "index.html").write_text(page.replace("../../files/", ""))
    fetch_all(lock, lab.home, sources={"pypi": lab.server.url("pypi/simple")})
    assert Store(lab.home.store).has(locked.packages[0].sha256)


def test_environments_with_other_versions_of_a_package_are_fetched_in_a_home_that_knows_nothing(
    lab: Lab,
) -> None:
    for version in ("1.5", "1.6"):
        lab.offer("pypi", "numbers", version)
    older = lab.lock(plan("older", "numbers<1.6"))
    newer = lab.lock(plan("newer", "numbers"))
    lock = example(environments=(older, newer))

    fetch_all(lock, lab.home, sources={"pypi": lab.server.url("pypi/simple")})

    for locked in (older, newer):
        assert Store(lab.home.store).has(locked.packages[0].sha256)


def test_a_wheel_that_no_source_has_any_more_says_so(lab: Lab) -> None:
    lock = example(environments=(environment("lab", pin("numbers", "1.5")),))
    lab.offer("pypi", "numbers", "1.6")
    with pytest.raises(DsvmError, match="are not found again") as lost:
        fetch_all(lock, lab.home, sources={"pypi": lab.server.url("pypi/simple")})
    assert "dsvm lock --upgrade" in (lost.value.remedy or "")


def test_a_package_that_comes_as_source_only_is_locked_without_running_it(lab: Lab) -> None:
    lab.offer("pypi", "numbers", "1.5")
    path = archive(lab.web / "pypi" / "files", "sparks", "4.0", {"sparks/__init__.py": ""})
    index(lab.web / "pypi")
    with pytest.raises(DsvmError, match="cannot be locked"):
        lab.lock(plan("lab", "sparks"))
    told = SourceOnly(package="Sparks", needs=["numbers>1"], files={"sparks": "sparks"})

    locked = lab.lock(plan("lab", "sparks", source_only=(told,)))

    assert versions(locked) == {"numbers": "1.5", "sparks": "4.0"}
    sparks = locked.packages[1]
    assert (sparks.file, sparks.size) == (path.name, path.stat().st_size)
    assert locked.source_only == (told,)
    lock = example(environments=(locked,))
    fetch_all(lock, lab.home, sources={"pypi": lab.server.url("pypi/simple")})
    assert Store(lab.home.store).get(sparks.sha256).read_bytes() == path.read_bytes()


NEEDS_NPM = pytest.mark.skipif(not shutil.which("npm"), reason="this host has no npm")
COMPILES = {"scripts": {"install": "node-gyp rebuild"}}


@NEEDS_NPM
def test_an_npm_package_that_would_run_a_script_is_refused_when_it_is_locked(lab: Lab) -> None:
    root = lab.server.url("npm/")
    npm_package(lab.web / "npm", root, "native", "1.2.0", more=COMPILES)
    npm_package(lab.web / "npm", root, "editor", "2.0.0", native="1")
    sources = {"npm": root}

    with pytest.raises(DsvmError, match="would run scripts") as refused:
        lock_npm(npm_tool(editor="2"), None, sources, lab.home)
    works_without = lock_npm(npm_tool("native", editor="2"), None, sources, lab.home)
    with pytest.raises(DsvmError, match="would run scripts"):
        lock_npm(npm_tool(editor="2"), works_without, sources, lab.home)

    assert refused.value.cause == "native 1.2.0"
    assert "without_scripts" in (refused.value.remedy or "")
    assert [package.name for package in works_without.packages] == ["editor", "native"]


@NEEDS_NPM
def test_what_npm_installs_on_other_systems_only_is_neither_locked_nor_refused(lab: Lab) -> None:
    root = lab.server.url("npm/")
    events = {**COMPILES, "os": ["darwin"]}
    npm_package(lab.web / "npm", root, "compiler", "1.0.0", more=COMPILES)
    npm_package(lab.web / "npm", root, "events", "1.0.0", more=events, compiler="1")
    optional = {"optionalDependencies": {"events": "1"}}
    npm_package(lab.web / "npm", root, "editor", "2.0.0", more=optional)

    locked = lock_npm(npm_tool(editor="2"), None, {"npm": root}, lab.home)

    assert "node_modules/events" in locked.package_lock
    assert [package.name for package in locked.packages] == ["editor"]


@NEEDS_NPM
def test_npm_packages_are_locked_and_installed_offline_from_the_store(
    lab: Lab, tmp_path: Path
) -> None:
    root = lab.server.url("npm/")
    npm_package(lab.web / "npm", root, "leaf", "1.0.0", "1.1.0")
    npm_package(lab.web / "npm", root, "editor", "2.0.0", leaf="^1.0.0")
    sources = {"npm": root}
    locked = lock_npm(npm_tool(editor="^2.0.0"), None, sources, lab.home)
    assert [(p.path, p.version) for p in locked.packages] == [
        ("node_modules/editor", "2.0.0"),
        ("node_modules/leaf", "1.1.0"),
    ]
    assert "127.0.0.1" not in locked.package_lock
    assert lock_npm(npm_tool(editor="^2.0.0"), locked, sources, lab.home) is locked

    store = Store(lab.home.store)
    store.discard(locked.packages[0].sha256)
    fetch_npm(locked, sources, lab.home)
    lab.server.shutdown()

    # What a build does: npm's lock, with each place in the store put in, and no network.
    package_lock = json.loads(locked.package_lock)
    app = tmp_path / "app"
    app.mkdir()
    for package in locked.packages:
        where = store.get(package.sha256)
        link = app / f"{package.sha256}.tgz"
        link.symlink_to(where)
        package_lock["packages"][package.path]["resolved"] = f"file:{link}"
    (app / "package-lock.json").write_text(json.dumps(package_lock))
    manifest = {"name": "editor", "version": "0.0.0", "dependencies": locked.requirements}
    (app / "package.json").write_text(json.dumps(manifest))
    env = {"npm_config_registry": root, "npm_config_cache": str(tmp_path / "empty")}
    run(["npm", "ci", "--offline", "--ignore-scripts"], cwd=app, env=env)
    assert json.loads((app / "node_modules/leaf/package.json").read_text())["version"] == "1.1.0"
