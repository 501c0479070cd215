"""What people look for in a data science machine is a tool, or leads to the one that does its work.

The names are data: `tests/data/names.toml`.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from dsvm.catalog import load_catalog
from dsvm.catalog.search import find_tools
from dsvm.errors import DsvmError

CATALOG = load_catalog()
DATA: dict[str, Any] = tomllib.loads(
    (Path(__file__).parents[2] / "data" / "names.toml").read_text(encoding="utf-8")
)
REPLACED: dict[str, list[str]] = {**DATA["dead"], **DATA["alive"]}
CALLED: dict[str, list[str]] = DATA["called"]


@pytest.mark.parametrize("name", DATA["tools"])
def test_every_name_is_a_tool(name: str) -> None:
    assert CATALOG.tool(name).summary


def test_every_tool_is_one_of_the_names() -> None:
    assert set(CATALOG.tools) == set(DATA["tools"])


@pytest.mark.parametrize(
    ("name", "heirs"), {**REPLACED, **CALLED}.items(), ids=lambda one: str(one)
)
def test_a_search_leads_to_the_heirs_before_all_others(name: str, heirs: list[str]) -> None:
    found = [tool.name for tool in find_tools(CATALOG, name.split())]

    assert sorted(found[: len(heirs)]) == heirs


@pytest.mark.parametrize(("name", "heirs"), REPLACED.items(), ids=lambda one: str(one))
def test_who_asks_for_it_as_a_tool_is_told_its_heirs(name: str, heirs: list[str]) -> None:
    with pytest.raises(DsvmError, match="unknown tool") as told:
        CATALOG.tool(name.lower().replace(" ", "-"))

    assert all(f"`{heir}`" in str(told.value.remedy) for heir in heirs)


@pytest.mark.parametrize(("name", "heirs"), DATA["dead"].items(), ids=lambda one: str(one))
def test_the_page_of_its_heir_says_what_became_of_it(name: str, heirs: list[str]) -> None:
    for heir in heirs:
        assert name in str(CATALOG.tool(heir).note)


def test_all_that_a_tool_replaces_is_one_of_the_names() -> None:
    replaced = {name for tool in CATALOG.tools.values() for name in tool.replaces}

    assert replaced - set(REPLACED) == {"MATLAB", "Microsoft Office"}
