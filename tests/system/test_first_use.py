"""Services that start when somebody uses them: own ones, behind a proxy or not, and Debian's."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from dsvm.home import Home
from dsvm.progress import Silent
from dsvm.verify import Report, verify
from tests.system.project import Project
from tests.system.typed import Dsvm

OWN_TOOLS = Path(__file__).with_name("own_tools")
NAME = "sleepers"
SERVICES = ("ledger", "tally", "redis-server")
# With git the OS packages are those of the machine `small`: its OS tree serves here, too.
DEFINITION = f"""\
name = "{NAME}"
profile = ""
tools = ["git"]
[catalog]
paths = ["./our-tools"]
[size]
cpus = 1
memory = "1G"
"""
IDLE_S = 30.0


class Sleepers(Project):
    """The machine with the ledger."""

    def proven(self, *, examples: bool = False) -> Report:
        return verify(
            self.machine, self.tools, only=("ledger",), examples=examples, progress=Silent()
        )

    def running(self) -> set[str]:
        words = ["systemctl", "is-active", *(f"{name}.service" for name in SERVICES)]
        told = self.machine.ssh.run(words, check=False).stdout.split()
        return {name for name, state in zip(SERVICES, told, strict=True) if state == "active"}


@pytest.fixture(scope="module")
def sleepers(
    home: Home, dsvm: Dsvm, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sleepers]:
    """A running machine to which the ledger came: its package starts a service while it does."""
    folder = tmp_path_factory.mktemp("sleepers")
    shutil.copytree(OWN_TOOLS / "ledger", folder / "our-tools" / "ledger")
    (folder / "dsvm.toml").write_text(DEFINITION)
    for words in (("up",), ("add", "ledger")):
        done = dsvm(*words, "--yes", cwd=folder, timeout_s=1800)
        assert done.returncode == 0, done.stdout + done.stderr
    yield Sleepers(home, dsvm, folder)
    dsvm("rm", NAME, "--yes")


def first_uses(report: Report) -> dict[str, object]:
    """Service -> what it was before, of the checks that used it for the first time."""
    return {
        check.check.split(".")[0].removeprefix("service "): check.measurements[
            "before its first use"
        ]
        for check in report.checks
        if check.check.endswith("starts at its first use")
    }


def test_services_of_a_new_tool_slept_until_they_were_proven(sleepers: Sleepers) -> None:
    newest = sorted(sleepers.machine.reports.glob("[0-9]*.json"))[-1]
    report = Report.model_validate_json(newest.read_text())

    assert first_uses(report) == dict.fromkeys(SERVICES, "inactive")


def test_a_boot_starts_none_of_them_and_the_first_who_comes_each(sleepers: Sleepers) -> None:
    for words in (("stop", NAME), ("start", NAME)):
        assert sleepers.dsvm(*words).returncode == 0
    asleep = sleepers.running()
    opened = sleepers.dsvm("open", NAME, "ledger")
    address = f"{opened.stdout.strip()}ready"
    page = httpx.get(address, trust_env=False, timeout=20, follow_redirects=True)
    awake = sleepers.running()

    report = sleepers.proven(examples=True)

    assert (asleep, awake) == (set(), {"ledger"})
    assert page.text == "ready"
    assert report.summary.failed == 0, [check.reason for check in report.checks]
    others = {"tally": "inactive", "redis-server": "inactive"}
    assert first_uses(report) == {"ledger": "in use"} | others
    assert "example" in {check.check for check in report.checks}


def test_a_gate_opens_an_app_to_its_token_only(
    sleepers: Sleepers,
) -> None:
    opened = sleepers.dsvm("open", NAME, "ledger")
    root = opened.stdout.partition("/dsvm-signin/")[0]
    wrong = "/dsvm-signin/" + "0" * 43 + "/ready"

    refused = [httpx.get(root + path, trust_env=False) for path in ("/", "/ready", wrong)]

    assert [answer.status_code for answer in refused] == [403, 403, 403]
    door = sleepers.machine.ssh.run(["stat", "-c", "%U %a", "/run/dsvm/doors"]).stdout
    assert door.strip() == "ds 700"


def test_a_service_that_nobody_is_connected_to_is_stopped_if_it_says_so(
    sleepers: Sleepers,
) -> None:
    assert sleepers.proven().summary.failed == 0
    late = time.monotonic() + IDLE_S
    while "ledger" in sleepers.running():
        assert time.monotonic() < late, "the ledger runs on"
        time.sleep(0.5)

    assert sleepers.running() == {"tally", "redis-server"}


def test_a_service_that_does_not_start_is_named_with_its_log(sleepers: Sleepers) -> None:
    tool = next(one for one in sleepers.tools if one.name == "ledger")
    for one in tool.breaks:
        sleepers.machine.ssh.run(["sudo", "-n", "sh", "-c", one.run], timeout_s=60)
        try:
            report = sleepers.proven()
        finally:
            sleepers.machine.ssh.run(["sudo", "-n", "sh", "-c", one.undo], timeout_s=60)
        told = [f"{check.check}: {check.reason}" for check in report.checks if check.reason]
        assert any(one.expect in line for line in told), (one.name, told)
    mended = sleepers.proven()
    assert mended.summary.failed == 0, [check.reason for check in mended.checks]


def test_an_os_unit_is_as_its_package_has_it_once_the_tool_is_gone(sleepers: Sleepers) -> None:
    file = sleepers.folder / "dsvm.toml"
    kept = 'tools = ["git"]\npackages = ["redis-server"]'
    text = file.read_text().replace('tools = ["git", "ledger"]', kept)
    file.write_text(text)

    done = sleepers.dsvm("up", "--yes", cwd=sleepers.folder, timeout_s=600)

    assert done.returncode == 0, sleepers.dsvm("verify", "sleepers", "--json").stdout
    enabled = sleepers.machine.ssh.run(["systemctl", "is-enabled", "redis-server"], check=False)
    assert enabled.stdout.strip() == "enabled"
    units = "systemctl list-units --all --plain --no-legend '*ledger*' 'tally*' '*-first-use*'"
    assert sleepers.machine.ssh.run(["sh", "-c", units]).stdout == ""
