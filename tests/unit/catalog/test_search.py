"""What a person finds by a few words."""

from __future__ import annotations

from dsvm.catalog import load_catalog
from dsvm.catalog.load import Catalog
from dsvm.catalog.search import find_tools, replaced

GIT = load_catalog().tool("git")
HEIR = GIT.model_copy(
    update={"name": "jupyterlab", "title": "JupyterLab", "replaces": ["Zeppelin", "Juno"]}
)
CATALOG = Catalog({"jupyterlab": HEIR, "git": GIT}, {}, {})


def names(*words: str) -> list[str]:
    return [tool.name for tool in find_tools(CATALOG, words)]


def test_without_words_all_are_found_by_name() -> None:
    assert names() == ["git", "jupyterlab"]


def test_what_is_dead_leads_to_its_heir() -> None:
    assert names("zeppelin") == ["jupyterlab"]


def test_every_word_must_occur_in_any_case() -> None:
    assert names("VERSION", "control") == ["git", "jupyterlab"]
    assert names("version", "juno") == ["jupyterlab"]
    assert names("version", "nowhere") == []


def test_what_is_called_so_comes_before_what_mentions_it() -> None:
    older = {
        **CATALOG.tools,
        "aaa": GIT.model_copy(update={"name": "aaa", "summary": "jupyterlab"}),
    }

    found = find_tools(Catalog(older, {}, {}), ["jupyterlab"])

    assert [tool.name for tool in found] == ["jupyterlab", "aaa"]


def test_what_is_replaced_is_told_by_its_name_and_nothing_without_words() -> None:
    assert replaced(HEIR, ["JUNO"]) == ["Juno"]
    assert replaced(HEIR, ["control"]) == []
    assert replaced(HEIR, []) == []
