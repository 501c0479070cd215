"""Each tool is broken on purpose, in every way its folder names: verify fails and tells why.

The cases are the tool folders themselves; a new tool needs no line here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dsvm.catalog import load_catalog
from dsvm.catalog.model import Break, Tool
from dsvm.home import Home
from dsvm.machines.machine import MACHINE, Machine
from dsvm.machines.state import Machines
from dsvm.progress import Silent
from dsvm.verify import Report, verify
from tests.system.typed import Dsvm

CATALOG = load_catalog()
BREAKS = [
    pytest.param(tool, one, id=f"{tool.name}: {one.name}")
    for tool in CATALOG.tools.values()
    for one in tool.breaks
]
MachineWith = Callable[[Tool], Machine]


@pytest.fixture(scope="module")
def machine_with(request: pytest.FixtureRequest, home: Home, dsvm: Dsvm) -> Iterator[MachineWith]:
    """The starter machine for its tools, a machine of its own for any other."""
    made: list[str] = []
    broken: dict[str, Machine] = {}

    def find(tool: Tool) -> Machine:
        if tool.name in CATALOG.profiles["starter"].tools:
            machine = request.getfixturevalue("starter")
            assert isinstance(machine, Machine)
            return broken.setdefault("starter", machine)
        name = f"with-{tool.name}"
        if name not in made:
            made.append(name)
            _up(home.root / "definitions" / name, name, tool.name, dsvm)
        return broken.setdefault(name, Machines(home).get(name))

    yield find
    for machine in broken.values():
        whole = _proven(machine, MACHINE)
        assert whole.summary.failed == 0, [check.reason for check in whole.checks]
    for name in made:
        dsvm("rm", name, "--yes")


def _up(folder: Path, name: str, tool: str, dsvm: Dsvm) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = f'name = "{name}"\nprofile = ""\ntools = ["{tool}"]\n'
    (folder / "dsvm.toml").write_text(text, encoding="utf-8")
    done = dsvm("up", "--yes", cwd=folder, timeout_s=1800)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("tool", "one"), BREAKS)
def test_verify_fails_on_a_broken_tool_and_names_the_cause(
    tool: Tool, one: Break, machine_with: MachineWith
) -> None:
    machine = machine_with(tool)
    _as_root(machine, one.run)
    try:
        broken = _proven(machine, tool.name)
    finally:
        _as_root(machine, one.undo)

    failed = [check for check in broken.checks if check.outcome == "failed"]
    assert failed, "verify passed a broken tool"
    told = [f"{check.check}: {check.reason}" for check in failed]
    assert any(one.expect in line for line in told), "\n".join(told)

    mended = _proven(machine, tool.name)
    assert mended.summary.failed == 0, [check.reason for check in mended.checks]
    assert mended.summary.passed > 0


def _proven(machine: Machine, tool: str) -> Report:
    tools = tuple(CATALOG.tool(name) for name in machine.record.tools)
    return verify(machine, tools, only=(tool,), progress=Silent())


def _as_root(machine: Machine, line: str) -> None:
    machine.ssh.run(["sudo", "-n", "sh", "-c", line], timeout_s=60)
