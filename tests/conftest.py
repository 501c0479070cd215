"""What all tests share: the order of the run, `--long`, and properties without a deadline."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

SYSTEM = Path(__file__).parent / "system"

# How long an example takes says more about the host than about the property.
settings.register_profile("dsvm", deadline=None)
settings.load_profile("dsvm")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the tests with full counts")


@pytest.hookimpl(tryfirst=True)  # before xdist writes the groups into the tests' names
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """System tests come last; those of the shared home on one worker, the others file by file."""
    items.sort(key=lambda item: SYSTEM in item.path.parents)
    for item in items:
        if SYSTEM in item.path.parents:
            shared = "home" in getattr(item, "fixturenames", ())
            item.add_marker(pytest.mark.xdist_group("home" if shared else item.path.stem))
        if item.get_closest_marker("long") and not config.getoption("--long"):
            item.add_marker(pytest.mark.skip(reason="full counts: run ./test --long"))
