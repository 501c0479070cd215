"""The catalog as a static site, each tool with its last measured outcome.

    FOLDER/index.html           all tools, with a search by words
    FOLDER/tools/<tool>.html    the page of one tool

Nothing is loaded from elsewhere, so it works from a disk, too. Without a report the pages say that
nothing was measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from dsvm.catalog.load import Catalog
from dsvm.catalog.model import Tool
from dsvm.catalog.search import text_of
from dsvm.errors import DsvmError
from dsvm.verify.model import CheckResult, Outcome, Report
from dsvm.verify.pages import template
from dsvm.whole import write_whole


@dataclass(frozen=True)
class Measured:
    """What the last report that proved a tool found of it."""

    at: datetime
    engine: str
    checks: tuple[CheckResult, ...]

    @property
    def outcome(self) -> Outcome:
        """`failed` if any check failed, `passed` if any passed and none failed."""
        found = {check.outcome for check in self.checks}
        if "failed" in found:
            return "failed"
        return "passed" if "passed" in found else "not_tested"

    @property
    def versions(self) -> dict[str, str]:
        return {name: one for check in self.checks for name, one in check.versions.items()}


def measured(reports: Iterable[Report]) -> dict[str, Measured]:
    """Tool -> what the newest of the reports that holds it found."""
    found: dict[str, Measured] = {}
    for report in sorted(reports, key=lambda one: one.at):
        if not report.reached:
            continue
        at = datetime.fromisoformat(report.at).astimezone(UTC)
        for tool in {check.tool for check in report.checks}:
            checks = tuple(check for check in report.checks if check.tool == tool)
            found[tool] = Measured(at, report.engine, checks)
    return found


def read_report(path: Path) -> Report:
    """A report as `dsvm verify` left it, or its `--json`. Raises `DsvmError`."""
    try:
        return Report.model_validate_json(path.read_bytes())
    except OSError as missing:
        raise DsvmError(f"{path} cannot be read", cause=missing.strerror) from None
    except ValidationError as wrong:
        first = wrong.errors()[0]
        raise DsvmError(
            f"{path} is no report of dsvm",
            cause=f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
            remedy="name the JSON file of a report, or what `dsvm verify --json` printed",
        ) from None


def write_site(folder: Path, catalog: Catalog, found: Mapping[str, Measured]) -> Path:
    """Write the site, each page whole; returns its first page."""
    pages = folder / "tools"
    pages.mkdir(parents=True, exist_ok=True)
    tools = sorted(catalog.tools.values(), key=lambda tool: (tool.group, tool.name))
    for tool in tools:
        write_whole(pages / f"{tool.name}.html", _page(tool, catalog, found.get(tool.name)))
    index = folder / "index.html"
    groups: dict[str, list[Tool]] = {}
    for tool in tools:
        groups.setdefault(tool.group, []).append(tool)
    texts = {tool.name: " ".join(text_of(tool).split()) for tool in tools}
    page = template("catalog").render(groups=groups, found=found, texts=texts)
    write_whole(index, page.encode())
    return index


def _page(tool: Tool, catalog: Catalog, found: Measured | None) -> bytes:
    profiles = catalog.profiles_of(tool.name)
    return template("tool").render(tool=tool, profiles=profiles, found=found).encode()
