"""`dsvm tools test`: a machine with one tool, which is proven, broken in each way it lists, mended.

The machine's definition lies in a scratch folder, which nobody holds once its process is gone. So
what a killed trial has left is known by that, and the next trial removes it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dsvm import scratch
from dsvm.catalog.compose import compose
from dsvm.catalog.model import Tool
from dsvm.definition.tomltext import toml_key, toml_value
from dsvm.engines import AUTO
from dsvm.home import Home
from dsvm.lock import lock_file, write_lock
from dsvm.lock.model import Lock
from dsvm.machines.lifecycle import rm
from dsvm.machines.machine import Machine
from dsvm.machines.state import MachineBusy, Machines
from dsvm.machines.up import up
from dsvm.progress import Progress
from dsvm.verify.model import Outcome, Report
from dsvm.verify.run import verify
from dsvm.verify.sabotage import Saboteur, untestable

WHAT = "trial"
NAME_LENGTH = 32


@dataclass(frozen=True)
class Step:
    """One thing that was tried: a check of the whole tool, its example, or one break of it."""

    name: str
    outcome: Outcome
    reason: str | None
    seconds: float


@dataclass(frozen=True)
class Trial:
    """All that was tried, in order; `machine` is the name it had, or has if it was `kept`."""

    tool: str
    machine: str
    kept: bool
    steps: tuple[Step, ...]

    @property
    def failed(self) -> bool:
        return any(step.outcome == "failed" for step in self.steps)

    def json(self) -> dict[str, Any]:
        return {**vars(self), "steps": [vars(step) for step in self.steps]}


@dataclass(frozen=True)
class Setup:
    """Where a trial takes place. `catalog` are folders of own tools, `sources` as in dsvm.toml;
    the versions of `lock` are taken where they fit."""

    base: str
    catalog: Sequence[Path] = ()
    sources: dict[str, str] = field(default_factory=dict)
    lock: Lock | None = None
    engine: str = AUTO
    keep: bool = False


def try_tool(tool: Tool, setup: Setup, home: Home, progress: Progress) -> Trial:
    """Make the machine, try all of it, and remove the machine, also when interrupted.

    With `keep` the machine stays, and a later trial that keeps goes on with it. Raises `DsvmError`
    when there is no machine to try the tool on.
    """
    name = f"try-{tool.name}"[:NAME_LENGTH].rstrip("-")
    beside = [other for check in tool.checks for other in check.beside]
    with _defined(name, [tool.name, *dict.fromkeys(beside)], setup, home) as definition:
        steps = tuple(_steps(definition, tool, setup, home, progress))
    return Trial(tool.name, name, setup.keep, steps)


def failing(tools: Sequence[str], setup: Setup, home: Home, progress: Progress) -> dict[str, str]:
    """Which of these tools fail on a machine that has just them: tool -> the first reason."""
    reports: list[Report] = []

    def prove(machine: Machine, there: tuple[Tool, ...], only: tuple[str, ...]) -> None:
        reports.append(verify(machine, there, only=tuple(tools), progress=progress))

    with _defined("try-upgrade", tools, setup, home) as definition:
        up(definition, home, progress=progress, prove=prove, confirm=_yes, engine=setup.engine)
    found: dict[str, str] = {}
    for check in reports[-1].checks:
        if check.outcome == "failed":
            found.setdefault(check.tool, f"{check.check}: {check.reason}")
    return found


@contextmanager
def _defined(name: str, tools: Sequence[str], setup: Setup, home: Home) -> Iterator[Path]:
    """The definition of a trial's machine, which is gone at the end unless it is kept."""
    with _folder(name, setup, home) as folder:
        _remove_killed(home)
        definition = folder / "dsvm.toml"
        definition.write_text(_definition(name, tools, setup), encoding="utf-8")
        if setup.lock:
            write_lock(lock_file(definition), setup.lock)
        try:
            yield definition
        finally:
            if not setup.keep:
                _remove_own(home, name, folder)


def _steps(
    definition: Path, tool: Tool, setup: Setup, home: Home, progress: Progress
) -> Iterator[Step]:
    proofs: list[tuple[Saboteur, Report]] = []

    def prove(machine: Machine, tools: tuple[Tool, ...], only: tuple[str, ...]) -> None:
        saboteur = Saboteur(machine, tools)
        proofs.append((saboteur, saboteur.proven(tool, examples=True)))

    done = up(definition, home, progress=progress, prove=prove, confirm=_yes, engine=setup.engine)
    if not proofs:  # it was kept, and nothing has changed since
        prove(done.machine, compose(definition)[1].tools, ())
    saboteur, report = proofs[-1]
    for check in report.checks:
        yield Step(check.check, check.outcome, check.reason, check.seconds)
    yield from _breaks(saboteur, tool, report, progress)


def _breaks(saboteur: Saboteur, tool: Tool, whole: Report, progress: Progress) -> Iterator[Step]:
    why = untestable(whole, tool)
    if whole.summary.failed:
        why = "the tool fails before it is broken"
    for one in tool.breaks:
        name, begin = f"broken: {one.name}", time.monotonic()
        if why:
            yield Step(name, "not_tested", why, 0.0)
            continue
        with progress.step(f"breaking {tool.name}: {one.name}"):
            fault = saboteur.fault(tool, one)
        took = round(time.monotonic() - begin, 2)
        yield Step(name, "failed" if fault else "passed", fault, took)


def _yes(question: str) -> None:
    """Nobody works in a trial's machine."""


@contextmanager
def _folder(name: str, setup: Setup, home: Home) -> Iterator[Path]:
    """The definition's folder: one that ends with this process, unless the machine is kept."""
    if not setup.keep:
        with scratch.folder(WHAT) as folder:
            yield folder
        return
    kept = home.root / "trials" / name
    kept.mkdir(parents=True, exist_ok=True)
    yield kept


def _remove_own(home: Home, name: str, folder: Path) -> None:
    """Remove the trial's machine, or what an interrupted beginning left of it; no other's."""
    machines = Machines(home)
    machine = machines.find(name)
    if machine and machine.record.folder == str(folder):
        rm(home, name)
    elif not machine and machines.folder(name).is_dir():
        with suppress(MachineBusy):  # another trial is making its machine
            rm(home, name)


def _remove_killed(home: Home) -> None:
    """Machines of trials whose folder is gone: who made them was killed."""
    for machine in Machines(home).all():
        folder = Path(machine.record.folder)
        if folder.name.startswith(f"{scratch.PREFIX}{WHAT}-") and not folder.exists():
            with suppress(MachineBusy):
                rm(home, machine.name)


def _definition(name: str, tools: Sequence[str], setup: Setup) -> str:
    lines = [
        f"name = {toml_value(name)}",
        f"base = {toml_value(setup.base)}",
        'profile = ""',
        f"tools = {toml_value(list(tools))}",
    ]
    if setup.sources:
        lines += ["[sources]"]
        lines += [f"{toml_key(key)} = {toml_value(one)}" for key, one in setup.sources.items()]
    if setup.catalog:
        lines += ["[catalog]", f"paths = {toml_value([str(path) for path in setup.catalog])}"]
    return "\n".join(lines) + "\n"
