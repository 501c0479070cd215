"""The page of benchmarks says what the results say, and targets are judged by the values."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from benchmarks.growth import exponent
from benchmarks.lessons import results
from benchmarks.page import DOCS, pages, read_results
from benchmarks.support import Figure, Runs, Taken, ratios
from tests.console_blocks import CHECKOUT

NEW = "python -m benchmarks.page"


@pytest.mark.parametrize("name", sorted(pages(read_results())))
def test_the_page_and_its_plots_are_those_of_the_results(name: str) -> None:
    assert (DOCS / name).read_text() == pages(read_results())[name], f"stale: {NEW}"


def test_plots_are_whole_and_name_no_time() -> None:
    for name, content in pages(read_results()).items():
        if name.endswith(".svg"):
            ElementTree.fromstring(content)
            assert "<dc:date>" not in content


def test_every_figure_stands_beside_its_target() -> None:
    page = pages(read_results())["benchmarks.md"]
    for result in read_results().values():
        for one in result["figures"]:
            line = next(line for line in page.splitlines() if line.startswith(f"| {one['what']} |"))
            if one["target"] is not None:
                assert f"{one['target']:g} |" in line
            assert ("missed" in line) == (one["met"] is False)


def test_a_value_on_the_wrong_side_of_its_target_is_missed() -> None:
    met = {
        (value, at_most): Figure("it", value, "x", 2.0, at_most).json()["met"]
        for value in (1.9, 2.1)
        for at_most in (True, False)
    }

    assert met == {(1.9, True): True, (2.1, True): False, (1.9, False): False, (2.1, False): True}


def test_a_ratio_compares_the_runs_of_one_round() -> None:
    runs = Runs()
    for one, other in ((2.0, 1.0), (9.0, 3.0)):
        runs.taken.setdefault("a", []).append(Taken(one, None, 0.0))
        runs.taken.setdefault("b", []).append(Taken(other, None, 0.0))

    assert ratios(runs, "a", "b") == [2.0, 3.0]


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_is_that_of_what_comes_on_top(power: float) -> None:
    points = [(n, 0.3 + 0.1 * (n - 5) ** power) for n in (5, 10, 20, 40, 60)]

    assert math.isclose(exponent(points), power, abs_tol=0.01)


def test_what_does_not_grow_has_the_exponent_0() -> None:
    assert exponent([(10, 0.30), (100, 0.31), (1000, 0.29)]) == 0.0


def test_the_readme_leads_to_the_page() -> None:
    assert "(docs/benchmarks.md)" in (CHECKOUT / "README.md").read_text()


def test_a_result_tells_its_computer_in_neutral_words() -> None:
    for result in read_results().values():
        host: dict[str, Any] = result["host"]
        assert host.keys() == {"cpus", "memory_gib", "system", "kernel", "kvm", "load"}


def test_the_results_of_lessons_stand_beside_what_is_demanded() -> None:
    rounds = [{"features": {"accuracy, by hand": value, "a word": "none"}} for value in (0.9, 0.95)]

    (found,) = results(rounds)

    assert found["values"] == [0.9, 0.95]
    assert found["bounds"] == (0.9, None)
