"""The site of the catalog: every tool a page, with what was last measured."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dsvm.catalog import load_catalog
from dsvm.catalog.load import Catalog
from dsvm.errors import DsvmError
from dsvm.verify.model import CheckResult, Outcome, Report, Summary
from dsvm.verify.site import measured, read_report, write_site

CATALOG = load_catalog()


def report(at: str, *checks: CheckResult, reached: bool = True) -> Report:
    return Report(
        machine="lab",
        at=at,
        engine="nspawn",
        summary=Summary.of(checks),
        checks=checks,
        reached=reached,
    )


def check(tool: str, outcome: Outcome, reason: str | None = None, **versions: str) -> CheckResult:
    return CheckResult(
        tool=tool, check="works", outcome=outcome, reason=reason, seconds=1.25, versions=versions
    )


class Links(HTMLParser):
    """What a page refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "href" and value and tag == "a":
                self.links.append(value)
            elif name in ("src", "href", "srcset") and value:
                self.loaded.append(value)


def test_every_tool_has_a_page_that_the_index_leads_to(tmp_path: Path) -> None:
    index = write_site(tmp_path, CATALOG, {})

    links = Links(index.read_text()).links
    assert sorted(links) == sorted(f"tools/{name}.html" for name in CATALOG.tools)
    for link in links:
        assert "../index.html" in Links((tmp_path / link).read_text()).links


def test_no_page_loads_anything(tmp_path: Path) -> None:
    write_site(tmp_path, CATALOG, {})

    for page in tmp_path.rglob("*.html"):
        text = page.read_text()
        assert Links(text).loaded == []
        code = re.compile(r"<(pre|code)\b.*?</\1>", re.DOTALL)  # shown, not done
        assert "url(" not in code.sub("", text)
        assert "default-src 'none'" in text
        assert "prefers-color-scheme: dark" in text


def test_a_page_says_what_its_tool_is_and_what_was_last_measured(tmp_path: Path) -> None:
    old = report("2026-11-24T10:00:00+00:00", check("git", "failed", "no merge"))
    new = report("2026-11-25T09:00:00+00:00", check("git", "passed", git="2.47.3"))
    other = report("2026-11-25T09:30:00+00:00", check("vim", "not_tested", "no <screen>"))

    write_site(tmp_path, CATALOG, measured([new, other, old]))

    git, vim = ((tmp_path / f"tools/{name}.html").read_text() for name in ("git", "vim"))
    tool = CATALOG.tool("git")
    for said in (tool.title, tool.summary, tool.start, tool.licence, "git 2.47.3", "1.2 s"):
        assert said in git
    assert "25 November 2026, 09:00 UTC" in git
    assert "no merge" not in git
    assert "no &lt;screen&gt;" in vim
    marks = re.findall(r'class="mark (\w+)"', (tmp_path / "index.html").read_text())
    assert sorted(set(marks)) == ["none", "not_tested", "passed"]


def test_a_report_of_a_machine_that_did_not_answer_measures_nothing() -> None:
    good = report("2026-11-24T10:00:00+00:00", check("git", "passed"))
    lost = report("2026-11-25T10:00:00+00:00", check("git", "failed"), reached=False)

    assert measured([good, lost])["git"].outcome == "passed"


def test_what_is_not_passed_alone_is_never_shown_as_passed() -> None:
    both = report("2026-11-24T10:00:00+00:00", check("git", "passed"), check("git", "failed"))
    none = report("2026-11-24T10:00:00+00:00", check("git", "not_tested", "no network"))

    assert measured([both])["git"].outcome == "failed"
    assert measured([none])["git"].outcome == "not_tested"


def test_the_words_that_find_a_tool_are_on_the_index_escaped(tmp_path: Path) -> None:
    odd = CATALOG.tool("git").model_copy(update={"replaces": ['Sub"version<1>']})

    index = write_site(tmp_path, Catalog({"git": odd}, {}, {}), {})

    assert 'data-text="git git version control tools sub&#34;version&lt;1&gt;"' in index.read_text()


def test_what_is_no_report_is_said_to(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")

    with pytest.raises(DsvmError, match="is no report"):
        read_report(tmp_path / "a.json")
    with pytest.raises(DsvmError, match="cannot be read"):
        read_report(tmp_path / "b.json")
