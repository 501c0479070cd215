"""The folder that a machine was made from: its dsvm.toml and dsvm.lock go where it goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dsvm.definition import FILE_NAME, format_bytes
from dsvm.definition.edit import replace_text, set_size
from dsvm.definition.faults import read_text
from dsvm.errors import DsvmError
from dsvm.lock import lock_beside, lock_file, write_lock
from dsvm.lock.model import Lock
from dsvm.machines.machine import Machine
from dsvm.machines.model import MachineRecord
from dsvm.machines.parts import applied, parsed


@dataclass(frozen=True)
class Files:
    """dsvm.toml and the lock beside it, as they were at one moment."""

    path: Path
    text: str
    lock: Lock | None

    @classmethod
    def of(cls, machine: Machine) -> Files:
        """Raises `DsvmError` when the folder or its dsvm.toml is gone."""
        path = Path(machine.record.folder) / FILE_NAME
        if not path.exists():
            raise DsvmError(
                f"the definition of machine `{machine.name}` is gone",
                cause=f"there is no {path}",
                remedy="put it back; what was last applied is in the machine's record: "
                f"{machine.folder}/machine.json",
            )
        return cls(path, read_text(path, path.name), lock_beside(path))

    def put_back(self, *, disk: int | None = None) -> None:
        """Write them again, with `disk` bytes in place of what the definition says of it."""
        text = set_size(self.text, {"disk": format_bytes(disk)}) if disk else self.text
        replace_text(self.path, text)
        if self.lock is not None:
            write_lock(lock_file(self.path), self.lock)


def all_applied(machine: Machine, files: Files, doing: str) -> None:
    """Raises `DsvmError` where the files ask for more than another size: `doing` ("a resize")
    would apply that, too, and would take it back when it fails."""
    there = parsed(files.text)
    before = applied(machine.record)
    same = there.model_copy(update={"size": before.size, "sizes": before.sizes}) == before
    if not same or files.lock != machine.record.lock:
        what = lock_file(files.path).name if same else files.path.name
        raise DsvmError(
            f"{what} has changes that machine `{machine.name}` has not",
            cause=f"{doing} would apply them, too",
            remedy=f"`dsvm up` in {files.path.parent} first",
        )


def files_follow(now: MachineRecord, then: MachineRecord) -> Iterator[str]:
    """Make the files what they were when the machine was `then`; what somebody has changed since
    they were applied `now` stays, and is told."""
    path = Path(then.folder) / FILE_NAME
    if not path.exists():
        return
    if read_text(path, path.name) == now.definition:
        if now.definition != then.definition:
            replace_text(path, then.definition)
            yield f"{path.name} is what it was then"
    else:
        yield f"{path.name} has changes of yours and stays: the next `dsvm up` applies it"
    if lock_beside(path) == now.lock:
        if now.lock != then.lock:
            write_lock(lock_file(path), then.lock)
            yield f"{lock_file(path).name} is what it was then"
    else:
        yield f"{lock_file(path).name} was not applied and stays: the next `dsvm up` applies it"
