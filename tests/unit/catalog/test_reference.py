"""The committed reference tells of every key, and of nothing else."""

from __future__ import annotations

from pathlib import Path

from dsvm.catalog import load_catalog
from dsvm.catalog.reference import reference
from dsvm.definition import json_schema

PAGE = Path(__file__).parents[3] / "docs/reference/definition.md"


def test_the_page_is_what_the_models_say() -> None:
    hint = "python -m dsvm.catalog.reference > docs/reference/definition.md"
    assert PAGE.read_text("utf-8") == reference(load_catalog()), f"stale: {hint}"


def test_every_key_is_on_the_page() -> None:
    page, schema = PAGE.read_text("utf-8"), json_schema()
    for table in (schema, *schema["$defs"].values()):
        for key in table["properties"]:
            assert f"### {key}\n" in page or f"## [{key}" in page, key
