"""The page of an answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dsvm.advise.estimate import Estimate, estimate_table
from dsvm.advise.memory import Point
from dsvm.advise.page import page
from dsvm.advise.tables import Table
from dsvm.home import Home
from dsvm.sizes import load_sizes

GIB = 1024**3


@pytest.fixture
def found(tmp_path: Path) -> Estimate:
    return estimate_table(Table(10**6, 50, "xgboost"), load_sizes(Home(tmp_path)).sizes)


def test_it_tells_the_sizes_and_what_is_not_modelled(found: Estimate) -> None:
    shown = page(found, None)

    assert found.choice.cheapest is not None
    assert f"<td>{found.choice.cheapest.size.name}</td>" in shown
    assert "Not modelled: " in shown


def test_memory_is_drawn_where_it_was_followed(found: Estimate) -> None:
    curve = [Point("forward", {"activations": n * GIB}) for n in range(3)]
    followed = replace(found, memory=replace(found.memory, curve=curve))

    assert "<svg" not in page(found, None)
    assert "<svg" in page(followed, None)


def test_what_a_person_named_is_escaped(found: Estimate) -> None:
    shown = page(replace(found, job={"file": "/tmp/<b>.py"}), None)

    assert "<b>" not in shown
    assert "&lt;b&gt;.py" in shown
