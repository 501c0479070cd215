"""Each tool is broken on purpose, in every way its folder names: verify fails and tells why.

The cases are the tool folders themselves; a new tool needs no line here. All of them take hours, so
a plain run breaks those of `tests/system/changed_tools.py`, and `--long` breaks all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from dsvm.catalog import load_catalog
from dsvm.catalog.model import Break, Tool
from dsvm.home import Home
from dsvm.machines.machine import MACHINE, Machine
from dsvm.machines.state import Machines
from dsvm.progress import Silent
from dsvm.verify import Report, verify
from dsvm.verify.sabotage import Saboteur, untestable
from tests.system.budget import beyond_budget
from tests.system.changed_tools import changed_tools, left_out
from tests.system.typed import Dsvm

CATALOG = load_catalog()
STARTER = CATALOG.profiles["starter"].tools
Find = Callable[[Tool], Saboteur]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A case for each tool or each of its breaks; what is left to `--long` skips, with a reason."""
    if "tool" not in metafunc.fixturenames:
        return
    left = left_out(CATALOG.tools, changed_tools(), long=bool(metafunc.config.getoption("--long")))
    tools = CATALOG.tools.values()
    if "one" in metafunc.fixturenames:
        cases = [
            pytest.param(tool, one, id=f"{tool.name}: {one.name}")
            for tool in tools
            if tool.name not in left
            for one in tool.breaks
        ]
        metafunc.parametrize(("tool", "one"), cases)
    else:
        skips = {name: [pytest.mark.skip(reason=f"{name}: {why}")] for name, why in left.items()}
        cases = [pytest.param(tool, id=tool.name, marks=skips.get(tool.name, [])) for tool in tools]
        metafunc.parametrize("tool", cases)


@pytest.fixture(scope="module")
def others(request: pytest.FixtureRequest, home: Home, dsvm: Dsvm) -> Iterator[Saboteur]:
    """A machine with the tools of this run that the starter has not; by `--long` with all tools."""
    long = bool(request.config.getoption("--long"))
    left = left_out(CATALOG.tools, changed_tools(), long=long)
    tools = [name for name in CATALOG.tools if name not in left and name not in STARTER]
    folder = home.root / "definitions" / "others"
    folder.mkdir(parents=True, exist_ok=True)
    listed = ", ".join(f'"{name}"' for name in tools)
    asked = 'profile = "full"' if long else f'profile = ""\ntools = [{listed}]'
    (folder / "dsvm.toml").write_text(f'name = "others"\n{asked}\n', encoding="utf-8")
    done = dsvm("up", "--yes", cwd=folder, timeout_s=3600)
    assert done.returncode in (0, 3), done.stderr
    made = _saboteur(Machines(home).get("others"))
    yield made
    _is_whole(made)
    dsvm("rm", "others", "--yes")


@pytest.fixture(scope="module")
def starters(starter: Machine) -> Iterator[Saboteur]:
    """The tools of the machine `starter`."""
    made = _saboteur(starter)
    yield made
    _is_whole(made)


@pytest.fixture
def saboteur(request: pytest.FixtureRequest) -> Find:
    """The machine that a tool is broken on; in the end each machine is whole again."""

    def find(tool: Tool) -> Saboteur:
        found = request.getfixturevalue("starters" if tool.name in STARTER else "others")
        assert isinstance(found, Saboteur)
        return found

    return find


def _is_whole(one: Saboteur) -> None:
    last = verify(one.machine, one.tools, only=(MACHINE,), progress=Silent())
    assert last.summary.failed == 0, [check.reason for check in last.checks]


@pytest.fixture(scope="module")
def whole() -> dict[str, Report]:
    """Tool -> its report before anything of it was broken."""
    return {}


def _saboteur(machine: Machine) -> Saboteur:
    return Saboteur(machine, tuple(CATALOG.tool(name) for name in machine.record.tools))


def test_a_tool_does_its_job_and_its_example_says_what_its_page_shows(
    tool: Tool, saboteur: Find
) -> None:
    report = saboteur(tool).proven(tool, examples=True)

    failed = [f"{one.check}: {one.reason}" for one in report.checks if one.outcome == "failed"]
    assert not failed, "\n".join(failed)


def test_verify_fails_on_a_broken_tool_and_names_the_cause(
    tool: Tool, one: Break, saboteur: Find, whole: dict[str, Report]
) -> None:
    machine = saboteur(tool)
    if tool.name not in whole:
        whole[tool.name] = machine.proven(tool)
    if why := untestable(whole[tool.name], tool):
        pytest.skip(f"{tool.name} is not tested here: {why}")

    assert machine.fault(tool, one) is None


def test_the_starter_keeps_to_its_budget(starters: Saboteur) -> None:
    assert beyond_budget(starters.machine, "starter") == {}


@pytest.mark.long
def test_the_full_machine_keeps_to_its_budget(others: Saboteur) -> None:
    assert beyond_budget(others.machine, "full") == {}
