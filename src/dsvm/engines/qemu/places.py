"""What the engine keeps of a machine.

<machine>/engine/
  pid          QEMU's process id; QEMU itself holds a lock on it for as long as it lives
  state.json   how it was started: notes, patience (mode 0600)
  qmp          socket: the machine's monitor
  vnc          socket: the machine's display
  folder-N     sockets: what serves the N-th folder of the host (dsvm.engines.qemu.folders)
  vars.fd      the UEFI firmware's variables
  seed.disk    the seed as the guest reads it (mode 0600)
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """The engine's files of one machine."""

    folder: Path

    @property
    def engine(self) -> Path:
        return self.folder / "engine"

    @property
    def pid(self) -> Path:
        return self.engine / "pid"

    @property
    def state(self) -> Path:
        return self.engine / "state.json"

    @property
    def qmp(self) -> Path:
        return self.engine / "qmp"

    @property
    def vnc(self) -> Path:
        return self.engine / "vnc"

    @property
    def vars(self) -> Path:
        return self.engine / "vars.fd"

    @property
    def seed(self) -> Path:
        return self.engine / "seed.disk"

    @property
    def console(self) -> Path:
        return self.folder / "logs" / "console.log"

    @property
    def log(self) -> Path:
        return self.folder / "logs" / "engine.log"


@dataclass(frozen=True)
class State:
    """What was found at the machine's start, for who asks later."""

    notes: tuple[str, ...] = ()
    patience: float = 1.0


def write_state(places: Places, state: State) -> None:
    write_private(places.state, json.dumps(asdict(state)).encode())


def read_state(places: Places) -> State:
    """An empty one when it is missing or another version's."""
    try:
        data = json.loads(places.state.read_text(encoding="utf-8"))
        return State(tuple(map(str, data["notes"])), float(data["patience"]))
    except (OSError, ValueError, TypeError, KeyError):
        return State()


def write_private(file: Path, data: bytes) -> None:
    """Whole or not at all; readable by its owner only."""
    partial = file.with_name(f"{file.name}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(data)
    partial.replace(file)
