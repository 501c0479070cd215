"""A company's own tools from npm and from a maker's archive: locked, built, attached, proven.

The tool folders are in `own_tools`; the archive is made here and served on the loopback.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from dsvm.home import Home
from dsvm.progress import Silent
from dsvm.store import Store
from dsvm.verify import Report, verify
from tests.system.lock_support import serving
from tests.system.project import Project
from tests.system.typed import Dsvm

OWN_TOOLS = Path(__file__).with_name("own_tools")
NAME = "apps"
# With git the OS packages are those of the machine `small`: its OS tree serves here, too.
DEFINITION = """\
name = "{name}"
profile = ""
tools = ["git", "almanac"]
[catalog]
paths = ["./our-tools"]
[size]
cpus = 1
memory = "1G"
"""


@dataclass(frozen=True)
class Company(Project):
    """Its definition and tools in `folder`, its archives in `served`."""

    served: Path

    def publish(self, program: str) -> None:
        """Put the almanac's archive on the server, with this program in it."""
        with tarfile.open(self.served / "almanac-1.0.tar.gz", "w:gz") as tar:
            info = tarfile.TarInfo("almanac-1.0/bin/almanac")
            info.size, info.mode = len(program.encode()), 0o755
            tar.addfile(info, io.BytesIO(program.encode()))


@pytest.fixture(scope="module")
def company(home: Home, dsvm: Dsvm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """A running machine with the almanac; the tests add and change the rest in their order."""
    folder = tmp_path_factory.mktemp("company")
    served = tmp_path_factory.mktemp("served")
    shutil.copytree(OWN_TOOLS, folder / "our-tools")
    (folder / "dsvm.toml").write_text(DEFINITION.format(name=NAME))
    with serving(served) as server:
        described = folder / "our-tools" / "almanac" / "tool.toml"
        text = described.read_text().replace("PORT", str(server.server_port))
        described.write_text(text)
        found = Company(home, dsvm, folder, served)
        found.publish(program())
        done = dsvm("up", "--yes", cwd=folder, timeout_s=1800)
        assert done.returncode == 0, done.stdout + done.stderr
        yield found
        dsvm("rm", NAME, "--yes")


def program() -> str:
    return (OWN_TOOLS / "almanac" / "almanac.py").read_text()


def page(company: Company, app: str) -> tuple[str, httpx.Response]:
    """What `dsvm open` prints, and what answers there."""
    done = company.dsvm("open", NAME, app, cwd=company.folder)
    assert done.returncode == 0, done.stderr
    url = done.stdout.strip()
    return url, httpx.get(url, trust_env=False, timeout=20)


def proven(company: Company, *only: str) -> Report:
    return verify(company.machine, company.tools, only=only, progress=Silent())


def test_a_tool_from_an_archive_is_locked_by_its_digest_and_opens_signed_in(
    company: Company,
) -> None:
    (artifact,) = company.lock.artifacts
    url, answer = page(company, "almanac")

    assert Store(company.home.store).has(artifact.sha256, artifact.size)
    assert (answer.status_code, answer.text) == (200, "1900 is no leap year")
    unsigned = httpx.get(url.partition("?")[0], trust_env=False, timeout=20)
    assert unsigned.status_code == 403


@contextmanager
def another_computer(company: Company) -> Iterator[Home]:
    """It has the same files in its store, and no machine."""
    elsewhere = Home(company.home.root / "elsewhere")
    shutil.copytree(company.home.store, elsewhere.store, copy_function=os.link)
    try:
        yield elsewhere
    finally:
        shutil.rmtree(elsewhere.root)


def test_an_archive_that_changed_since_it_was_locked_is_refused(company: Company) -> None:
    """The other computer has neither the archive nor its layer."""
    (artifact,) = company.lock.artifacts
    (layer,) = (one for one in company.machine.record.layers if one.name == "app-almanac")
    company.publish(program().replace("leap year", "year of 366 days"))
    try:
        with another_computer(company) as elsewhere:
            for digest in (artifact.sha256, layer.digest):
                Store(elsewhere.store).discard(digest)
            done = Dsvm(elsewhere.root)("build", cwd=company.folder, timeout_s=600)
    finally:
        company.publish(program())

    assert done.returncode == 1, done.stdout + done.stderr
    assert "the artifact of `almanac` is not the one that was locked" in done.stderr
    assert artifact.sha256 in done.stderr
    assert "`dsvm lock --upgrade almanac`" in done.stderr


def test_a_tool_from_npm_comes_to_the_running_machine(company: Company) -> None:
    done = company.dsvm("add", "notices", "--yes", "--json", cwd=company.folder, timeout_s=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    changes = json.loads(done.stdout)["changes"]
    assert "app notices added" in changes
    assert any(line.startswith("npm-notices: node_modules/express ") for line in changes)
    url, answer = page(company, "notices")

    assert answer.text == "notices of this machine"
    assert httpx.get(url.partition("?")[0], trust_env=False, timeout=20).status_code == 403
    report = proven(company)
    assert report.summary.failed == 0, [check.reason for check in report.checks]
    assert {check.tool for check in report.checks} >= {"almanac", "notices", "machine"}


def test_an_app_lies_read_only_on_its_own_layer(company: Company) -> None:
    place = "/opt/dsvm/apps/notices"
    ssh = company.machine.ssh
    told = ssh.run(["sudo", "-n", "touch", f"{place}/x"], check=False)

    assert "Read-only file system" in told.stderr
    layers = {layer.name: layer for layer in company.machine.record.layers}
    assert layers["app-notices"].mountpoint == place
    listed = ssh.run(["ls", f"{place}/node_modules/.bin"]).stdout.split()
    assert "semver" in listed


@pytest.mark.parametrize("tool", ["almanac", "notices"])
def test_a_broken_app_fails_verify_and_is_named(company: Company, tool: str) -> None:
    found = next(one for one in company.tools if one.name == tool)

    faults = {one.name: company.saboteur.fault(found, one) for one in found.breaks}

    assert faults == dict.fromkeys(faults)


def test_an_app_goes_with_all_it_brought(company: Company) -> None:
    """Its layer, unit, token, address, the OS packages only it needed; with gc its files."""
    machine = company.machine
    (npm,) = company.lock.npm
    url, _ = page(company, "notices")
    assert machine.ssh.run(["node", "--version"]).stdout.startswith("v")
    assert company.machine.record.tools == ("git", "almanac", "notices")

    changes = without(company, '"notices"')

    assert "app notices taken away" in changes
    assert any(line.startswith("npm-notices: ") for line in changes)
    assert any(line.startswith("package nodejs ") and "removed" in line for line in changes)
    assert left(company) == {"almanac"}
    assert machine.ssh.run(["node", "--version"], check=False).returncode == 127
    with pytest.raises(httpx.TransportError):
        httpx.get(url, trust_env=False, timeout=20)
    assert page(company, "almanac")[1].status_code == 200
    (artifact,) = company.lock.artifacts
    with another_computer(company) as elsewhere:
        done = Dsvm(elsewhere.root)("gc", "--json", cwd=company.folder)
        store = Store(elsewhere.store)
        assert not [one.name for one in npm.packages if store.has(one.sha256)]
        assert store.has(artifact.sha256)
    tarballs = sum(one.size for one in npm.packages)
    assert json.loads(done.stdout)["freed"]["downloads"] >= tarballs > 0


def test_a_new_archive_is_taken_when_the_lock_is_told_to(company: Company) -> None:
    (old,) = company.lock.artifacts
    company.publish(program().replace("leap year", "year of 366 days"))
    moved = company.dsvm("lock", "--upgrade", "almanac", cwd=company.folder, timeout_s=600)
    assert moved.returncode == 0, moved.stderr
    (new,) = company.lock.artifacts
    assert new.sha256 != old.sha256
    assert "artifact: almanac almanac-1.0.tar.gz is another file" in moved.stdout

    done = company.dsvm("up", "--yes", "--json", cwd=company.folder, timeout_s=600)
    assert page(company, "almanac")[1].text == "1900 is no year of 366 days"
    assert "app almanac swapped" in json.loads(done.stdout)["changes"]
    # Its check still asks for the old words: a new version is proven, not trusted.
    assert done.returncode == 3, done.stderr


def test_an_app_that_has_failed_leaves_no_trace(company: Company) -> None:
    machine = company.machine
    unit = "almanac.service"
    machine.ssh.run(["sudo", "-n", "systemctl", "kill", "--signal=SEGV", "--kill-who=main", unit])
    until = ["sh", "-c", f"until systemctl is-failed --quiet {unit}; do sleep 0.1; done"]
    machine.ssh.run(until, timeout_s=20)

    changes = without(company, '"almanac"')

    assert "app almanac taken away" in changes
    assert left(company) == set()


def without(company: Company, tool: str) -> list[str]:
    """`up` without the tool: what it says has changed; nothing failed."""
    file = company.folder / "dsvm.toml"
    text = file.read_text()
    assert tool in text
    file.write_text(text.replace(f", {tool}", ""))
    done = company.dsvm("up", "--yes", "--json", cwd=company.folder, timeout_s=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return list(json.loads(done.stdout)["changes"])


def left(company: Company) -> set[str]:
    """The apps of which anything is left: in the machine's record or inside it."""
    record = company.machine.record
    found = {*record.apps, *record.tokens, *record.pages} | {
        layer.name.removeprefix("app-") for layer in record.layers if layer.kind == "app"
    }
    places = "ls /opt/dsvm/apps; ls /run/dsvm/apps; grep -o '/opt/dsvm/apps/[^ ]*' /proc/mounts;"
    known = "systemctl list-units --all --plain --no-legend almanac.service notices.service"
    asked = ["sudo", "-n", "sh", "-c", f"{places} {known} | cut -d' ' -f1; ls /run/systemd/system"]
    told = company.machine.ssh.run(asked, check=False).stdout.split()
    names = {Path(word).name.partition(".")[0] for word in told}
    return found | ({"almanac", "notices"} & names)
