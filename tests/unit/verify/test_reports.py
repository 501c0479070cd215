"""A report as files: what programs, CI and people read."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
import xmlschema
from hypothesis import given
from hypothesis import strategies as st

from dsvm.verify.model import CheckResult, Report, Summary
from dsvm.verify.reports import as_html, as_junit, save

JUNIT = xmlschema.XMLSchema(Path(__file__).parents[2] / "data" / "junit.xsd")
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
    "awAAAABJRU5ErkJggg=="
)


def report_of(*checks: CheckResult) -> Report:
    counts = {name: sum(c.outcome == name for c in checks) for name in Summary.model_fields}
    return Report(
        machine="lab",
        at="2026-11-23T21:05:12.123000+00:00",
        engine="nspawn",
        summary=Summary(**counts),
        checks=checks,
        changes=("base: added polars 1.0",),
        notes=("memory: not enforced: no memory controller",),
        seconds=12.5,
    )


PASSED = CheckResult(
    tool="python",
    check="classifier",
    environment="base",
    variant="cpu",
    device="cpu",
    outcome="passed",
    seconds=2.0,
    versions={"numpy": "2.5.5"},
    measurements={"accuracy": 0.97123456},
    figures=(PIXEL,),
)
FAILED = CheckResult(
    tool="r", check="BLAS", outcome="failed", reason="R computes with <libblas>", seconds=1.0
)
OPEN = CheckResult(tool="cuda", check="kernel", outcome="not_tested", reason="no GPU", seconds=0.0)


def test_a_report_is_three_files_named_by_its_time(tmp_path: Path) -> None:
    saved = save(report_of(PASSED, FAILED, OPEN), tmp_path / "reports")

    assert saved.json.name == "2026-11-23T210512.123Z.json"
    dated = sorted(path.suffix for path in saved.json.parent.glob("2026*"))
    assert dated == [".html", ".json", ".xml"]


def test_latest_leads_to_the_newest_report(tmp_path: Path) -> None:
    save(report_of(FAILED), tmp_path)
    later = report_of(PASSED).model_copy(update={"at": "2026-11-24T00:00:00.000000+00:00"})

    newest = save(later, tmp_path)

    for file in (newest.json, newest.xml, newest.html):
        assert (tmp_path / f"latest{file.suffix}").resolve() == file.resolve()
    assert not list(tmp_path.glob(".*"))


def test_json_has_the_fields_of_the_contract_and_no_pictures(tmp_path: Path) -> None:
    data = json.loads(save(report_of(PASSED), tmp_path).json.read_text())

    assert data["summary"] == {"passed": 1, "failed": 0, "not_tested": 0}
    wanted = {"tool", "check", "environment", "variant", "device", "outcome", "reason", "seconds"}
    assert wanted | {"versions", "measurements"} == data["checks"][0].keys()


def test_junit_counts_not_tested_as_skipped() -> None:
    root = ElementTree.fromstring(as_junit(report_of(PASSED, FAILED, OPEN)))

    assert (root.get("tests"), root.get("failures")) == ("3", "1")
    suites = {suite.get("name"): suite for suite in root}
    assert suites["cuda"].get("skipped") == "1"
    failure = suites["r"].find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "R computes with <libblas>"


@given(reason=st.text())
def test_junit_fits_the_schema_whatever_a_check_says(reason: str) -> None:
    failed = FAILED.model_copy(update={"reason": reason})
    silent = OPEN.model_copy(update={"reason": reason})

    JUNIT.validate(as_junit(report_of(failed, silent, PASSED)))


def test_an_empty_report_fits_the_junit_schema_too() -> None:
    JUNIT.validate(as_junit(report_of()))


def test_the_junit_schema_refuses_what_readers_would_not_understand() -> None:
    assert not JUNIT.is_valid("<testsuites><testsuite/></testsuites>")
    assert not JUNIT.is_valid(as_junit(report_of(OPEN)).replace("<skipped", "<untested"))


class Loads(HTMLParser):
    """Collects what a page would fetch, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for key, value in attrs if key in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_self_contained_and_shows_failures_first() -> None:
    page = Loads()
    page.feed(as_html(report_of(PASSED, FAILED, OPEN)))

    assert page.addresses == [PIXEL]
    assert (
        page.text.index("r: BLAS") < page.text.index("cuda: kernel") < page.text.index("classifier")
    )
    assert "R computes with <libblas>" in page.text
    assert "added polars 1.0" in page.text


@pytest.mark.parametrize(
    ("checks", "says"),
    [
        ((PASSED,), "Every check that ran has passed."),
        ((PASSED, FAILED), "Something on this machine does not work."),
        ((OPEN,), "Nothing was tested."),
    ],
)
def test_the_page_never_calls_untested_proven(checks: tuple[CheckResult, ...], says: str) -> None:
    assert says in as_html(report_of(*checks))
