"""What is not documented is red, and so is what is documented and not there."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from dsvm.catalog import load_catalog
from dsvm.cli import invoke, toolspage
from dsvm.cli.reference import commands, page
from dsvm.definition.model import Definition
from dsvm.models.reference import page as models_page
from tests.console_blocks import CHECKOUT, PAGES, WALKTHROUGH, Line, shown
from tests.system.changed_tools import FIXED, MOST_CHANGED

DOCS = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
WRITTEN = [file for file in DOCS if file.parent.name != "reference"]
SHOWN = shown((*PAGES, *WALKTHROUGH))
ONLY_SHOWS = re.compile(r"\./dsvm (schema|tools(?! new| test)( [a-z]+)*)")
TOML = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text_of(files: list[Path]) -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def keys(model: type[BaseModel], above: str = "") -> list[str]:
    return [above + name for name in model.model_fields]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_is_in_the_docs(words: tuple[str, ...]) -> None:
    assert re.search(rf"dsvm {' '.join(words)}\b", text_of(DOCS))


@pytest.mark.parametrize("key", keys(Definition))
def test_every_key_of_the_definition_is_in_its_reference(key: str) -> None:
    reference = text_of([CHECKOUT / "docs/reference/definition.md"])

    assert re.search(rf"^##+ .*\b{key}\b", reference, re.MULTILINE)


@pytest.mark.parametrize("tool", sorted(load_catalog().tools))
def test_every_tool_is_in_the_docs(tool: str) -> None:
    assert re.search(rf"\b{re.escape(tool)}\b", text_of(DOCS))


def test_the_readme_says_which_tools_every_run_breaks() -> None:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    row = next(line for line in readme.splitlines() if "which is all that CI runs" in line)

    assert tuple(re.findall(r"`([a-z-]+)`", row)) == FIXED
    assert f"the last {('no', 'one', 'two', 'three', 'four')[MOST_CHANGED]} by `./test`" in readme
    least = re.search(r"The catalog has more than (\d+) \[tools\]", readme)
    assert least
    assert len(load_catalog().tools) > int(least[1])


@pytest.mark.parametrize("code", ["0", "1", "2", "3", "130"])
def test_every_exit_code_is_in_the_docs(code: str) -> None:
    assert re.search(rf"^\| {code} \|", text_of(WRITTEN), re.MULTILINE)


def test_the_reference_of_commands_is_generated() -> None:
    assert (CHECKOUT / "docs/reference/commands.md").read_text(encoding="utf-8") == page()


def test_the_reference_of_tools_is_generated() -> None:
    written = (CHECKOUT / "docs/reference/tools.md").read_text(encoding="utf-8")

    assert written == toolspage.page(load_catalog())


@pytest.mark.parametrize("line", [line for line in SHOWN if "dsvm " in line.text], ids=str)
def test_every_command_that_the_docs_show_is_understood(
    line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    words = shlex.split(line.text)
    if Path(words[0]).name != "dsvm":
        return
    at = words.index("--") if "--" in words else len(words)

    code = invoke([*words[1:at], "--help"])

    assert code == 0, capsys.readouterr().err


@pytest.mark.parametrize("file", DOCS, ids=lambda file: file.name)
def test_links_between_pages_lead_somewhere(file: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", file.read_text(encoding="utf-8"))

    assert [link for link in links if not (file.parent / link).exists()] == []


@pytest.mark.parametrize("file", WRITTEN, ids=lambda file: file.name)
def test_definitions_in_the_docs_have_only_keys_there_are(file: Path) -> None:
    for block in TOML.findall(file.read_text(encoding="utf-8")):
        if "title =" in block:  # a tool folder's
            continue
        assert tomllib.loads(block).keys() <= Definition.model_fields.keys()


@pytest.mark.parametrize(
    "line",
    [line for line in shown() if ONLY_SHOWS.fullmatch(line.text)],
    ids=str,
)
def test_commands_of_the_docs_that_need_no_machine_work(
    line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(shlex.split(line.text)[1:]) == 0
    assert capsys.readouterr().out


def test_the_reference_of_models_is_generated() -> None:
    written = (CHECKOUT / "docs/reference/models.md").read_text(encoding="utf-8")

    assert written == models_page()
