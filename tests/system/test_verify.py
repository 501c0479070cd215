"""verify on a real machine: what it finds, what it says of a change, and what it leaves behind."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from dsvm.catalog import load_catalog
from dsvm.machines.machine import Machine
from dsvm.progress import Silent
from dsvm.verify import CheckResult, Report, verify
from tests.system.typed import Dsvm


def proven(machine: Machine, *only: str) -> Report:
    catalog = load_catalog()
    tools = tuple(catalog.tool(name) for name in machine.record.tools)
    return verify(machine, tools, only=only, progress=Silent())


def as_root(machine: Machine, line: str) -> str:
    return machine.ssh.run(["sudo", "-n", "sh", "-c", line], timeout_s=60).stdout


def check(report: Report, name: str) -> CheckResult:
    return next(one for one in report.checks if one.check == name)


def test_a_fresh_machine_is_what_its_lock_says(small: Machine) -> None:
    report = proven(small)

    assert report.summary.failed == 0, [one.reason for one in report.checks]
    assert check(report, "OS packages").measurements["packages"] == len(
        small.record.lock.os.packages
    )


def test_the_report_is_left_for_programs_for_ci_and_for_people(small: Machine) -> None:
    report = proven(small, "git")

    newest = sorted(small.reports.glob("*.json"))[-1]
    assert json.loads(newest.read_text())["at"] == report.at
    suites = ElementTree.parse(newest.with_suffix(".xml")).getroot()
    assert suites.get("tests") == str(len(report.checks))
    assert "://" not in newest.with_suffix(".html").read_text()


def test_nothing_of_verify_stays_inside(small: Machine) -> None:
    proven(small, "git")

    assert as_root(small, "ls -d /var/tmp/dsvm-verify.* 2>/dev/null || true") == ""


def test_a_changed_file_of_a_package_is_named(small: Machine) -> None:
    place = "/usr/share/doc/git/copyright"
    as_root(small, f"echo >> {place}")
    try:
        found = check(proven(small, "machine"), "files of OS packages")
    finally:
        as_root(small, f"sed -i '$d' {place}")

    assert found.outcome == "failed"
    assert place in str(found.reason)


def test_a_changed_configuration_is_told_and_does_not_fail(small: Machine) -> None:
    as_root(small, "echo >> /etc/bash.bashrc")
    try:
        report = proven(small, "machine")
    finally:
        as_root(small, "sed -i '$d' /etc/bash.bashrc")

    assert report.summary.failed == 0
    assert "configuration /etc/bash.bashrc was changed" in report.changes


def test_a_removed_package_fails_and_an_added_one_does_not(small: Machine) -> None:
    status = "/var/lib/dpkg/status"
    added = "Package: own\\nStatus: install ok installed\\nVersion: 1\\nArchitecture: all\\n"
    as_root(
        small, f"cp -p {status} /root/status && printf '\\n{added}Maintainer: me\\n' >> {status}"
    )
    as_root(small, f"sed -i 's/^Package: nano$/Package: nano-away/' {status}")
    try:
        report = proven(small, "machine")
    finally:
        as_root(small, f"mv /root/status {status}")

    assert check(report, "OS packages").reason == "not installed: nano"
    assert "OS package own 1 was added" in report.changes


def test_a_failed_service_is_named(small: Machine) -> None:
    as_root(small, "systemd-run --unit=sour --quiet false; sleep 0.5")
    try:
        found = check(proven(small, "machine"), "services")
    finally:
        as_root(small, "systemctl reset-failed sour.service")

    assert found.outcome == "failed"
    assert "sour.service" in str(found.reason)


def test_a_port_that_nobody_declared_is_named(small: Machine) -> None:
    as_root(
        small,
        "systemd-run --unit=ear --quiet python3 -m http.server --bind 127.0.0.1 4321; sleep 1",
    )
    try:
        found = check(proven(small, "machine"), "ports")
    finally:
        as_root(small, "systemctl stop ear.service")

    assert "127.0.0.1:4321" in str(found.reason)


def test_a_stopped_machine_is_reported_as_not_reached(small: Machine, dsvm: Dsvm) -> None:
    assert dsvm("stop", "small").returncode == 0
    try:
        report = proven(small, "git")
    finally:
        assert dsvm("start", "small").returncode == 0

    assert [one.outcome for one in report.checks] == ["failed"]
    assert report.checks[0].check == "reached over SSH"


def test_the_command_prints_the_contract_and_its_exit_says_what_failed(
    small: Machine, dsvm: Dsvm
) -> None:
    good = dsvm("verify", "small", "--tool", "git", "--json")
    as_root(small, "mv /usr/bin/git /usr/bin/git.away")
    try:
        bad = dsvm("verify", "small", "--tool", "git", "--json")
    finally:
        as_root(small, "mv /usr/bin/git.away /usr/bin/git")

    assert (good.returncode, bad.returncode) == (0, 3)
    assert json.loads(good.stdout)["summary"] == {"passed": 1, "failed": 0, "not_tested": 0}
    assert json.loads(bad.stdout)["checks"][0]["outcome"] == "failed"
