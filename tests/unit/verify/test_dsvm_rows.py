"""The rows that checks of databases share, loaded into a database of this process."""

from __future__ import annotations

import importlib.util
import sqlite3
from pathlib import Path
from types import ModuleType

import pytest

from dsvm.catalog import load_catalog
from dsvm.verify import inside


@pytest.fixture(scope="module")
def dsvm_rows() -> ModuleType:
    file = Path(inside.__file__).parent / "lib" / "dsvm_rows.py"
    spec = importlib.util.spec_from_file_location("dsvm_rows", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def loaded(values: str, columns: int) -> list[list[str]]:
    """What a database has of rows written as SQL."""
    base = sqlite3.connect(":memory:")
    base.execute(f"CREATE TABLE rows ({', '.join(f'c{number}' for number in range(columns))})")
    base.execute(f"INSERT INTO rows VALUES {values}")
    return [[word or "" for word in row] for row in base.execute("SELECT * FROM rows")]


def test_the_planets_come_out_of_a_database_as_they_went_in(dsvm_rows: ModuleType) -> None:
    planets = dsvm_rows.planets()

    assert loaded(dsvm_rows.values(planets), 5) == planets
    assert [row[0] for row in planets if row[4]] == ["Uranus", "Neptune"]
    assert planets[2][1] == "Γη"


def test_a_quote_ends_no_text(dsvm_rows: ModuleType) -> None:
    rows = [["it's", "'); DROP TABLE rows; --"], ["", "''"]]

    assert loaded(dsvm_rows.values(rows), 2) == rows


def test_no_two_tools_bring_the_same_sample() -> None:
    files = [
        file
        for tool in load_catalog().tools.values()
        for file in (tool.folder / "samples").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    ]

    assert len({file.read_bytes() for file in files}) == len(files)
