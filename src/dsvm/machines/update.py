"""`dsvm update`: a newer lock for a machine, its files kept, with one way back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from dsvm.build.build import build_layers, proven_lock
from dsvm.catalog.compose import compose
from dsvm.home import Home
from dsvm.lock import diff, lock_file, write_lock
from dsvm.lock.model import Lock
from dsvm.machines.folder import Files, all_applied
from dsvm.machines.move import Move
from dsvm.machines.state import Machines
from dsvm.machines.up import Prove, UpResult
from dsvm.machines.work import Confirm
from dsvm.progress import Progress


@dataclass(frozen=True)
class Newer:
    """A lock that is newer than the machine's, and how: a line for each change."""

    lock: Lock
    changes: tuple[str, ...]


def newer(home: Home, name: str, only: Collection[str], progress: Progress) -> Newer:
    """Lock the machine's definition anew, of `only` these tools, environments and packages if any
    are named. Touches nothing. Raises `DsvmError`."""
    machine = Machines(home).get(name)
    files = Files.of(machine)
    all_applied(machine, files, "an update")
    _, composition = compose(files.path)
    old = machine.record.lock
    moving = frozenset(only) if only else None
    lock = proven_lock(composition, home, old=old, upgrade=moving, progress=progress)
    return Newer(lock, tuple(str(change) for change in diff(old, lock)))


def update(
    home: Home,
    name: str,
    found: Newer,
    *,
    progress: Progress,
    prove: Prove,
    confirm: Confirm,
) -> tuple[UpResult, str]:
    """Move the machine to that lock; also the snapshot it began with.

    New layers are built beside the old ones before anything of the machine changes. Raises
    `DsvmError`, `MoveFailed`.
    """
    machines = Machines(home)
    machines.get(name)
    with machines.hold(name, "update"):
        machine = machines.get(name)
        files = Files.of(machine)
        all_applied(machine, files, "an update")
        _, composition = compose(files.path)
        build_layers(found.lock, composition, home, progress=progress)
        move = Move(machines, machine, files, "update", True, progress, prove, confirm)
        return move.run(lambda: write_lock(lock_file(files.path), found.lock))
