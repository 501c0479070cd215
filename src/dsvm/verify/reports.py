"""Writes a report as JSON, JUnit XML and one HTML page that needs nothing else.

reports/<time>.json|.xml|.html    a report, by its time in UTC, `20261123T215203Z`
reports/latest.json|.xml|.html    the newest one again
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from dsvm.verify.model import CheckResult, Report

TEMPLATE = "report.html.j2"
# What XML 1.0 cannot hold.
UNFIT = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ORDER = {"failed": 0, "not_tested": 1, "passed": 2}
WORDS = {"failed": "failed", "not_tested": "not tested", "passed": "passed"}


def write(report: Report, folder: Path) -> Path:
    """Write all three beside each other; returns the HTML page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    name = _free_name(report, folder)
    texts = {
        "html": as_html(report),
        "xml": as_junit(report),
        "json": json.dumps(report.json_data(), indent=1, ensure_ascii=False) + "\n",
    }
    for suffix, text in texts.items():
        for target in (f"{name}.{suffix}", f"latest.{suffix}"):
            _write_whole(folder / target, text)
    return folder / f"{name}.html"


def _free_name(report: Report, folder: Path) -> str:
    name = re.sub(r"[-:]", "", report.at)
    number, free = 1, name
    while (folder / f"{free}.json").exists():
        number += 1
        free = f"{name}-{number}"
    return free


def _write_whole(path: Path, text: str) -> None:
    """Never seen half-written: another process may read it just now."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def as_junit(report: Report) -> str:
    """JUnit XML as Jenkins, GitLab and others read it; a tool is a test suite.

    Elements, attributes and their order are those of the common schema:
    https://github.com/windyroad/JUnit-Schema/blob/master/JUnit.xsd
    """
    root = ElementTree.Element("testsuites")
    for number, (tool, checks) in enumerate(by_tool(report.checks).items()):
        root.append(_suite(report, tool, checks, number))
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(
    report: Report, tool: str, checks: list[CheckResult], number: int
) -> ElementTree.Element:
    outcomes = [check.outcome for check in checks]
    suite = ElementTree.Element(
        "testsuite",
        name=tool,
        package=f"dsvm.{report.machine}",
        id=str(number),
        timestamp=report.at.removesuffix("Z"),
        hostname=report.machine,
        tests=str(len(checks)),
        failures=str(outcomes.count("failed")),
        errors="0",
        skipped=str(outcomes.count("not_tested")),
        time=f"{sum(check.seconds for check in checks):.3f}",
    )
    properties = ElementTree.SubElement(suite, "properties")
    versions = {name: text for check in checks for name, text in check.versions.items()}
    for name, text in {"engine": report.engine, **versions}.items():
        ElementTree.SubElement(properties, "property", name=_fit(name), value=_fit(text))
    for check in checks:
        suite.append(_case(tool, check))
    for stream in ("system-out", "system-err"):
        ElementTree.SubElement(suite, stream)
    return suite


def _case(tool: str, check: CheckResult) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase", classname=tool, name=check.check, time=f"{check.seconds:.3f}"
    )
    reason = _fit(check.reason or "")
    message = reason.splitlines()[0] if reason else ""
    if check.outcome == "failed":
        told = ElementTree.SubElement(case, "failure", message=message, type="failed")
        told.text = reason
    elif check.outcome == "not_tested":
        ElementTree.SubElement(case, "skipped", message=message)
    return case


def _fit(text: str) -> str:
    return UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)


def as_html(report: Report) -> str:
    """One page: summary first, failures first, figures inside, nothing from a network."""
    # Here, not above: only this needs it, and every `up` imports this room.
    from jinja2 import Environment, StrictUndefined

    source = (Path(__file__).parent / TEMPLATE).read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    environment.filters["measured"] = measured
    return environment.from_string(source).render(
        report=report,
        tools=sorted(by_tool(report.checks).items(), key=lambda item: _rank(item[1])),
        failed=[check for check in report.checks if check.outcome == "failed"],
        untested=[check for check in report.checks if check.outcome == "not_tested"],
        words=WORDS,
        versions=sorted({item for check in report.checks for item in check.versions.items()}),
    )


def by_tool(checks: Iterable[CheckResult]) -> dict[str, list[CheckResult]]:
    """The checks of each tool, in the order they were given."""
    found: dict[str, list[CheckResult]] = {}
    for check in checks:
        found.setdefault(check.tool, []).append(check)
    return found


def _rank(checks: list[CheckResult]) -> int:
    return min(ORDER[check.outcome] for check in checks)


def measured(value: object) -> str:
    """A measurement as people read it: `0.9704`, `base, ir`, `accuracy 0.97`."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {measured(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(measured(one) for one in value) or "none"
    return str(value)
