"""What one start of a machine is to be: written by the engine, read by the supervisor.

<machine>/engine/
  plan.json     Plan, mode 0600
  state.json    State, written once the machine's init runs, removed when it stopped
  lock          flock: held for as long as a process of the supervisor lives
  control       socket of the supervisor: one JSON request, one JSON answer
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dsvm.engines.base import AttachedLayer, EngineMachine, Mount, Size
from dsvm.engines.cdi.given import NOTHING, Given, from_data
from dsvm.whole import write_whole


@dataclass(frozen=True)
class Plan:
    """`uid_base` is where the machine's ids begin on the host; None is without user namespace.

    `init` is run as the machine's first process instead of its own init (the probe's). `given`
    is what the machine's devices of the host came to when it was started.
    """

    machine: EngineMachine
    uid_base: int | None
    scope: bool
    init: str | None = None
    given: Given = NOTHING


@dataclass(frozen=True)
class State:
    """`pid` of the outer supervisor in the host's view; `since` is Unix time.

    `scope` is the control group that systemd delegated, if it did.
    """

    pid: int
    since: float
    notes: tuple[str, ...]
    uid_base: int | None
    scope: str | None


@dataclass(frozen=True)
class Places:
    """The engine's files of one machine."""

    folder: Path

    @property
    def engine(self) -> Path:
        return self.folder / "engine"

    @property
    def plan(self) -> Path:
        return self.engine / "plan.json"

    @property
    def state(self) -> Path:
        return self.engine / "state.json"

    @property
    def lock(self) -> Path:
        return self.engine / "lock"

    @property
    def control(self) -> Path:
        return self.engine / "control"

    @property
    def monitor(self) -> Path:
        """Where the storage daemon takes orders."""
        return self.engine / "storage"

    @property
    def console(self) -> Path:
        return self.folder / "logs" / "console.log"

    @property
    def log(self) -> Path:
        return self.folder / "logs" / "engine.log"

    @property
    def unit(self) -> str:
        """A name that no other machine of this host has, whatever DSVM_HOME it lives in."""
        digest = hashlib.sha256(os.fsencode(self.folder.resolve())).hexdigest()
        return f"{self.folder.name}-{digest[:10]}"


def write_plan(plan: Plan) -> None:
    write_json(Places(plan.machine.folder).plan, asdict(plan))


def read_plan(file: Path) -> Plan:
    data = json.loads(file.read_text(encoding="utf-8"))
    machine, given = _machine(data["machine"]), from_data(data["given"])
    return Plan(**{**data, "machine": machine, "given": given})


def write_state(places: Places, state: State) -> None:
    write_json(places.state, asdict(state))


def read_state(places: Places) -> State | None:
    """None when the machine has not come up, or when it cannot be understood.

    Another version's may have more in it or less: only `pid` and `since` must be there.
    """
    try:
        data = json.loads(places.state.read_text(encoding="utf-8"))
        return State(
            pid=int(data["pid"]),
            since=float(data["since"]),
            notes=tuple(map(str, data.get("notes", ()))),
            uid_base=data.get("uid_base"),
            scope=data.get("scope"),
        )
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        return None


def layers_from(data: list[Mapping[str, str]]) -> tuple[AttachedLayer, ...]:
    return tuple(AttachedLayer(entry["digest"], Path(entry["path"])) for entry in data)


def write_json(file: Path, data: object) -> None:
    """Whole or not at all; readable by its owner only."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, json.dumps(data, indent=1, default=str).encode(), mode=0o600)


def _machine(data: dict[str, Any]) -> EngineMachine:
    return EngineMachine(
        name=data["name"],
        folder=Path(data["folder"]),
        disk=Path(data["disk"]),
        root_offset=data["root_offset"],
        size=Size(**data["size"]),
        seed=Path(data["seed"]),
        layers=layers_from(data["layers"]),
        ports={int(inside): outside for inside, outside in data["ports"].items()},
        mounts=tuple(
            Mount(Path(entry["source"]), entry["target"], entry["read_only"])
            for entry in data["mounts"]
        ),
        devices=None if data["devices"] is None else tuple(data["devices"]),
        notes=list(data["notes"]),
    )
