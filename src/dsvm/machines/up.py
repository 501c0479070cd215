"""`dsvm up`: from the definition to a running, proven machine. Data in, data out.

Nothing to do is told from digests, in a moment, and without loading what does the work
(`dsvm.machines.bring`). Proving stands to the right of this room, so the caller hands it in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsvm.build.guest_tree import guest_digest
from dsvm.definition import read_name
from dsvm.engines import AUTO
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.machines.engine import differs
from dsvm.machines.inputs import read_inputs
from dsvm.machines.listing import running
from dsvm.machines.machine import LOGIN, Machine
from dsvm.machines.pages import pages
from dsvm.machines.reports import LastReport, last_report
from dsvm.machines.state import Machines
from dsvm.machines.work import Confirm
from dsvm.progress import Progress

if TYPE_CHECKING:
    from dsvm.catalog.model import Tool

PHASES = ("lock", "build", "boot", "verify")
Prove = Callable[[Machine, "tuple[Tool, ...]", tuple[str, ...]], object]
"""Runs the checks of the tools (of the named ones only, if any) and leaves a report on disk."""


@dataclass(frozen=True)
class UpResult:
    """`lock_changes` and `changes` (of the machine) are lines for a person; `unchanged`: there
    was nothing to do."""

    machine: Machine
    seconds: dict[str, float]
    lock_changes: tuple[str, ...]
    changes: tuple[str, ...]
    unchanged: bool
    last: LastReport | None

    @property
    def engine(self) -> str:
        return self.machine.record.engine

    @property
    def accelerator(self) -> str:
        return self.machine.record.accelerator

    def json(self) -> dict[str, Any]:
        """`up --json`."""
        address = self.machine.ssh.address
        return {
            "name": self.machine.name,
            "engine": self.engine,
            "accelerator": self.accelerator,
            "ssh": {
                "host": address.host,
                "port": address.port,
                "user": LOGIN,
                "identity": str(self.machine.identity),
            },
            "apps": {name: {"url": page.url} for name, page in pages(self.machine).items()},
            "seconds": {name: round(value, 2) for name, value in self.seconds.items()},
            "changes": [*self.lock_changes, *self.changes],
            "unchanged": self.unchanged,
            "last_report": self.last.json() if self.last else None,
        }


def up(
    definition: Path,
    home: Home,
    *,
    progress: Progress,
    prove: Prove,
    confirm: Confirm,
    engine: str = AUTO,
) -> UpResult:
    """Bring the machine of this definition up and prove it; what changed is applied.

    `confirm` is asked before a change that needs a restart ends somebody's running work. Raises
    `DsvmError`; whatever was finished until then is kept for the next time.
    """
    definition = definition.absolute()
    name, machines = read_name(definition), Machines(home)
    known = machines.find(name)
    if known:
        check_owner(known, definition)
        same = known.record.inputs == read_inputs(definition)
        same = same and not differs(known, engine)
        found = running(known) if same and known.record.guest == guest_digest() else None
        if found and not found.cut_off:
            nothing = dict.fromkeys(PHASES, 0.0)
            return UpResult(known, nothing, (), (), True, last_report(known))
    from dsvm.machines.bring import Bring

    with machines.hold(name, "up"):
        return Bring(definition, machines, progress, prove, confirm, engine, name).run()


def check_owner(machine: Machine, definition: Path) -> None:
    """A name belongs to the folder that made it."""
    folder = str(definition.parent)
    if machine.record.folder != folder:
        raise DsvmError(
            f"machine `{machine.name}` belongs to another folder",
            cause=f"{machine.record.folder}/{definition.name} made it",
            remedy=f"give this definition another `name`, or `dsvm rm {machine.name}` first",
        )
