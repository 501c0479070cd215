"""`dsvm ls`: every machine as its engine sees it now."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from dsvm.build.guest_tree import guest_digest
from dsvm.engines.base import Running
from dsvm.home import Home
from dsvm.machines.enlarge import waits
from dsvm.machines.machine import Machine
from dsvm.machines.model import SizeRecord
from dsvm.machines.parts import engine_machine, engine_of
from dsvm.machines.reports import LastReport, last_report
from dsvm.machines.state import Machines

OTHER_GUEST = "its guest code is of another version of dsvm: `dsvm up` renews it"


@dataclass(frozen=True)
class Row:
    """`state` is `running` or `stopped`; `uptime` in seconds, None when it is stopped.

    `ports` are all that the machine takes of the host's loopback: `ssh`, and each app by its name.
    """

    name: str
    state: str
    engine: str
    size: SizeRecord
    image: str
    uptime: float | None
    notes: tuple[str, ...]
    report: LastReport | None
    folder: str
    ports: dict[str, int]

    def json(self) -> dict[str, Any]:
        """One entry of `ls --json`."""
        return {
            "name": self.name,
            "state": self.state,
            "engine": self.engine,
            "size": self.size.model_dump(),
            "image": self.image,
            "uptime_seconds": None if self.uptime is None else round(self.uptime, 1),
            "notes": list(self.notes),
            "last_report": self.report.json() if self.report else None,
            "folder": self.folder,
            "ports": self.ports,
        }


def rows(home: Home) -> list[Row]:
    """All machines, sorted by name."""
    guest = guest_digest()
    return [_row(machine, guest) for machine in Machines(home).all()]


def running(machine: Machine) -> Running | None:
    """What the machine's engine says of it now."""
    return engine_of(machine).running(engine_machine(machine))


def _row(machine: Machine, guest: str) -> Row:
    found, record = running(machine), machine.record
    older = () if record.guest == guest else (OTHER_GUEST,)
    waiting = waits(record)
    own = (*older, waiting) if waiting else older
    return Row(
        name=machine.name,
        state="running" if found else "stopped",
        engine=record.engine,
        size=record.size,
        image=record.image.id,
        uptime=max(0.0, time.time() - found.since) if found else None,
        notes=tuple(dict.fromkeys((*record.notes, *(found.notes if found else ()), *own))),
        report=last_report(machine),
        folder=record.folder,
        ports={"ssh": record.ssh_port, **record.apps},
    )
