"""What all tests share: the order of the run, `--long`, and properties without a deadline."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

SYSTEM = Path(__file__).parent / "system"
# Two workers take about the same time, each with a home of its own: these files, and all others.
SECOND_HOME = frozenset(["test_breaks", "test_kill", "test_power_cut"])

# How long an example takes says more about the host than about the property.
settings.register_profile("dsvm", deadline=None)
settings.load_profile("dsvm")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the tests with full counts")


@pytest.hookimpl(tryfirst=True)  # before xdist writes the groups into the tests' names
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """System tests come last; those that share a home on one worker, the others file by file."""
    items.sort(key=lambda item: SYSTEM in item.path.parents)
    for item in items:
        if SYSTEM in item.path.parents:
            item.add_marker(pytest.mark.xdist_group(_group(item)))
        if item.get_closest_marker("long") and not config.getoption("--long"):
            item.add_marker(pytest.mark.skip(reason="full counts: run ./test --long"))


def _group(item: pytest.Item) -> str:
    if item.path.stem in SECOND_HOME:
        return "second-home"
    return "home" if "home" in getattr(item, "fixturenames", ()) else item.path.stem
