"""A change of a machine that takes itself back when it fails.

It begins with a snapshot and ends with proof. Killed in the middle, the machine is what it was or
on the way, and `dsvm up` goes on from there; the snapshot stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dsvm.engines import AUTO
from dsvm.errors import DsvmError
from dsvm.machines.bring import Bring
from dsvm.machines.engine import switch_engine
from dsvm.machines.folder import Files
from dsvm.machines.frozen import SnapshotRecord
from dsvm.machines.lifecycle import start_held, stop_held
from dsvm.machines.machine import Machine
from dsvm.machines.reports import failing
from dsvm.machines.snapshots import restore_held, take_held
from dsvm.machines.state import Machines
from dsvm.machines.up import Prove, UpResult
from dsvm.machines.work import Confirm
from dsvm.progress import Progress


class MoveFailed(DsvmError):
    """The machine is what it was, or it is said how to make it so."""


@dataclass(frozen=True)
class Move:
    """One such change, by who holds the machine. `what` names it: `resize`, `update`.

    `on_disk`: it changes files of the OS, so the way back is the snapshot and not the old
    definition applied again.
    """

    machines: Machines
    machine: Machine
    files: Files
    what: str
    on_disk: bool
    progress: Progress
    prove: Prove
    confirm: Confirm

    def run(self, write: Callable[[], None], engine: str = AUTO) -> tuple[UpResult, str]:
        """Write the new files and bring the machine there; also the snapshot's name.

        Raises `MoveFailed` once the old state is back.
        """
        before = failing(self.machine)
        taken = take_held(self.machine, f"before the {self.what}", automatic=True).record
        try:
            write()
            result = self._bring(engine).run()
            self._nothing_worse(result.machine, before)
        except (Exception, KeyboardInterrupt) as failed:
            self._back(taken, failed)
            raise
        return result, taken.id

    def _bring(self, engine: str) -> Bring:
        return Bring(
            self.files.path,
            self.machines,
            self.progress,
            self.prove,
            self.confirm,
            engine,
            self.machine.name,
        )

    def _nothing_worse(self, machine: Machine, before: dict[str, str]) -> None:
        worse = {name: why for name, why in failing(machine).items() if name not in before}
        if worse:
            told = "\n".join(f"{name}: {why}" for name, why in worse.items())
            raise DsvmError(
                "checks that passed before fail now" if before else "checks fail", cause=told
            )

    def _back(self, taken: SnapshotRecord, failed: BaseException) -> None:
        """Raises `MoveFailed` unless it was a person who ended it."""
        name = self.machine.name
        self.progress.note(f"the {self.what} of {name} failed; what it was comes back")
        try:
            lost = self._restored(taken) if self.on_disk else self._undone(taken)
        except DsvmError as also:
            raise MoveFailed(
                f"the {self.what} of machine `{name}` failed, and it did not come back by itself",
                cause=f"{_told(failed)}\nthen: {_told(also)}",
                remedy=f"`dsvm restore {name} {taken.id}` makes it what it was before",
            ) from failed
        if isinstance(failed, KeyboardInterrupt):
            return
        raise MoveFailed(
            f"the {self.what} of machine `{name}` failed; it runs as it did before{lost}",
            cause=_told(failed),
            remedy=getattr(failed, "remedy", None)
            or f"`dsvm logs {name}`, and the last report: `dsvm verify {name}`",
        ) from failed

    def _undone(self, taken: SnapshotRecord) -> str:
        """Apply the old definition again, so that nothing written meanwhile is lost; else go back
        to the snapshot."""
        now = self.machines.get(self.machine.name).record
        grown = now.size.disk > self.machine.record.size.disk
        self.files.put_back(disk=now.size.disk if grown else None)
        try:
            self._bring(self.machine.record.engine).run()
        except DsvmError as refused:
            self.progress.note(f"the old definition cannot be applied: {_told(refused)}")
            return self._restored(taken)
        return ", with the larger disk" if grown else ""

    def _restored(self, taken: SnapshotRecord) -> str:
        machine = self.machines.get(self.machine.name)
        stop_held(machine)
        kept = take_held(machine, f"after the failed {self.what}", automatic=True).record
        restore_held(machine, taken)
        self.files.put_back()
        machine = self.machines.get(machine.name)
        machine = switch_engine(self.machines, machine, self.machine.record.engine)
        start_held(self.machines, machine, progress=self.progress)
        return f"; what was written meanwhile is in snapshot {kept.id}"


def _told(error: BaseException) -> str:
    cause = getattr(error, "cause", None)
    return f"{error}: {cause}" if cause else str(error) or type(error).__name__
