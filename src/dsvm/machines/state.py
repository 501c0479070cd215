"""The machines of one home, on disk: found, read, written atomically, held by one at a time.

A machine exists once its `machine.json` does; a folder without one is what a killed `up` left,
and the next `up` of that name clears it away. `machine.json` is replaced by rename after fsync,
so it is always one of the two states, whole.
"""

from __future__ import annotations

import difflib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.machines.chain import settle
from dsvm.machines.machine import Machine
from dsvm.machines.model import MachineRecord
from dsvm.whole import write_whole

HOLD_WAIT_S = 2.0
RECORD = "machine.json"


class NoSuchMachine(DsvmError):
    """No machine has this name."""


class MachineBusy(DsvmError):
    """Another process works on the machine."""


@dataclass(frozen=True)
class Machines:
    """All machines below one home."""

    home: Home

    def names(self) -> list[str]:
        """The names of all machines, sorted."""
        return sorted(file.parent.name for file in self.home.machines.glob(f"*/{RECORD}"))

    def all(self) -> list[Machine]:
        """All machines, sorted by name."""
        found = (self.find(name) for name in self.names())
        return [machine for machine in found if machine]

    def find(self, name: str) -> Machine | None:
        """The machine of this name, or None. Raises `DsvmError` when its record is damaged."""
        file = self.folder(name) / RECORD
        try:
            text = file.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            return Machine(self.home, MachineRecord.model_validate_json(text))
        except ValidationError as wrong:
            raise DsvmError(
                f"the record of machine `{name}` cannot be read",
                cause=f"{file}: {wrong.errors()[0]['msg']}",
                remedy=f"it was made by another version of dsvm: use that one, or `dsvm rm {name}`",
            ) from None

    def get(self, name: str) -> Machine:
        """The machine of this name. Raises `NoSuchMachine` with the nearest name."""
        machine = self.find(name)
        if machine is None:
            raise self._missing(name)
        return machine

    def save(self, record: MachineRecord) -> Machine:
        """Write the record; after return it survives a power cut."""
        folder = self.folder(record.name)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = record.model_dump_json(indent=1) + "\n"
        write_whole(folder / RECORD, text.encode(), mode=0o600, synced=True)
        return Machine(self.home, record)

    def ports_of_others(self, name: str) -> set[int]:
        """Ports on the loopback that belong to other machines, running or not."""
        others = [machine.record for machine in self.all() if machine.name != name]
        return {port for record in others for port in (record.ssh_port, *record.apps.values())}

    def folder(self, name: str) -> Path:
        return self.home.machines / name

    @contextmanager
    def hold(self, name: str, doing: str, wait_s: float = HOLD_WAIT_S) -> Iterator[None]:
        """Work on the machine alone. `doing` tells others what: `up`, `stop`.

        First it settles what a killed snapshot or restore has left.

        The kernel frees the lock when its holder dies, however that happens. Raises
        `MachineBusy`, naming the holder, when it is not free within `wait_s` seconds.
        """
        folder = self.folder(name)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        holder = folder / "lock.json"
        lock = FileLock(folder / "lock", timeout=wait_s)
        try:
            lock.acquire(poll_interval=0.05)
        except Timeout:
            raise _busy(name, holder) from None
        try:
            settle(folder)
            holder.write_text(json.dumps({"pid": os.getpid(), "doing": doing}))
            yield
        finally:
            holder.unlink(missing_ok=True)
            self._drop_if_empty(folder)
            lock.release()

    def clear(self, name: str) -> None:
        """Remove all files of a machine but the lock; the record first, so that a kill midway
        leaves no machine. By who holds it."""
        folder = self.folder(name)
        (folder / RECORD).unlink(missing_ok=True)
        for entry in folder.iterdir():
            if entry.name in ("lock", "lock.json"):
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def _drop_if_empty(self, folder: Path) -> None:
        """Take away a folder in which nothing but the lock is left."""
        if folder.is_dir() and {entry.name for entry in folder.iterdir()} <= {"lock"}:
            (folder / "lock").unlink(missing_ok=True)
            folder.rmdir()

    def _missing(self, name: str) -> NoSuchMachine:
        names = self.names()
        near = difflib.get_close_matches(name, names, 1)
        if near:
            remedy = f"did you mean `{near[0]}`? `dsvm ls` lists them all"
        elif names:
            remedy = f"there are: {', '.join(names)}"
        else:
            remedy = "there is none yet: `dsvm up` makes the one of your dsvm.toml"
        return NoSuchMachine(f"there is no machine `{name}`", remedy=remedy)


def _busy(name: str, holder: Path) -> MachineBusy:
    try:
        told = json.loads(holder.read_text())
        cause = f"`dsvm {told['doing']}` works on it (process {told['pid']})"
    except (OSError, ValueError, KeyError):
        cause = "another dsvm works on it"
    return MachineBusy(
        f"machine `{name}` is busy", cause=cause, remedy="wait until it is done, then try again"
    )
