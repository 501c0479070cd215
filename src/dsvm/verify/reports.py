"""Writes a report as JSON, JUnit XML and one self-contained HTML page.

    reports/2026-11-23T210512.123Z.json    for programs; no pictures
    reports/2026-11-23T210512.123Z.xml     for CI (the JUnit schema of Jenkins' xUnit plugin)
    reports/2026-11-23T210512.123Z.html    for people; opens without a network

Names are times, so they sort; the JSON file is written last, so a report that has one is whole.
`latest.json`, `latest.xml` and `latest.html` are links to the newest. Old reports stay: they are
the machine's history, small beside its disk, and go with `dsvm rm`.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from dsvm.verify.model import CheckResult, Report
from dsvm.verify.pages import template

# XML 1.0 has no place for these, not even escaped.
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ORDER = {"failed": 0, "not_tested": 1, "passed": 2}


@dataclass(frozen=True)
class Saved:
    """The three files of one report."""

    json: Path
    xml: Path
    html: Path


def save(report: Report, folder: Path) -> Saved:
    """Write the report's three files into `folder`, and the links to them; each appears whole or
    not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    at = datetime.fromisoformat(report.at).astimezone(UTC)
    stem = folder / (at.strftime("%Y-%m-%dT%H%M%S.") + f"{at.microsecond // 1000:03d}Z")
    saved = Saved(*(stem.with_name(stem.name + end) for end in (".json", ".xml", ".html")))
    _write(saved.html, as_html(report))
    _write(saved.xml, as_junit(report))
    _write(saved.json, as_json(report))
    for file in (saved.html, saved.xml, saved.json):
        _link_latest(file)
    return saved


def as_json(report: Report) -> str:
    """The contract's `verify --json`; the pictures are in the page only."""
    data = report.model_dump(mode="json", exclude={"checks": {"__all__": {"figures"}}})
    return json.dumps(data, indent=1) + "\n"


def as_junit(report: Report) -> str:
    """JUnit XML: a suite a tool, a case a check; not tested is `skipped`, never a pass."""
    counts = report.summary
    root = ElementTree.Element(
        "testsuites",
        name=f"dsvm verify {report.machine}",
        tests=str(len(report.checks)),
        failures=str(counts.failed),
        errors="0",
        time=f"{report.seconds:.3f}",
    )
    for tool in dict.fromkeys(check.tool for check in report.checks):
        _suite(root, tool, [check for check in report.checks if check.tool == tool], report.at)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(root: ElementTree.Element, tool: str, checks: list[CheckResult], at: str) -> None:
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=tool,
        tests=str(len(checks)),
        failures=str(sum(check.outcome == "failed" for check in checks)),
        errors="0",
        skipped=str(sum(check.outcome == "not_tested" for check in checks)),
        time=f"{sum(check.seconds for check in checks):.3f}",
        timestamp=datetime.fromisoformat(at).strftime("%Y-%m-%dT%H:%M:%S"),
    )
    for check in checks:
        place = ".".join(part for part in (tool, check.environment, check.variant) if part)
        case = ElementTree.SubElement(
            suite, "testcase", classname=place, name=check.check, time=f"{check.seconds:.3f}"
        )
        reason = FORBIDDEN.sub("�", check.reason or "")
        if check.outcome == "failed":
            first = reason.partition("\n")[0]
            ElementTree.SubElement(case, "failure", message=first, type="failed").text = reason
        elif check.outcome == "not_tested":
            ElementTree.SubElement(case, "skipped", message=reason)
        if check.measurements:
            measured = FORBIDDEN.sub("�", json.dumps(check.measurements))
            ElementTree.SubElement(case, "system-out").text = measured


def as_html(report: Report) -> str:
    """One page, nothing loaded from elsewhere; failures first."""
    return template("report").render(
        report=report,
        at=datetime.fromisoformat(report.at).astimezone(UTC),
        checks=sorted(report.checks, key=lambda check: ORDER[check.outcome]),
    )


def _link_latest(file: Path) -> None:
    """Let `latest` with the file's ending lead to it, at once: a link cannot be replaced itself."""
    link = file.with_name(f"latest{file.suffix}")
    aside = file.with_name(f".{link.name}.{secrets.token_hex(8)}")
    aside.symlink_to(file.name)
    aside.replace(link)


def _write(file: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as partial:
        partial.write(text)
    Path(name).replace(file)
