"""`dsvm run --resumable`, `dsvm runs`: commands that their machine starts again after a restart.

The machine keeps them (`dsvm.guest.runs`); a client only looks on, and may go away.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any

from dsvm.errors import DsvmError
from dsvm.machines.listing import running
from dsvm.machines.machine import Machine
from dsvm.machines.parts import patience
from dsvm.machines.ssh import LOST, RemoteFailed, SshFailed
from dsvm.machines.state import Machines

GUEST = ("dsvm-guest", "runs")
ANSWER_S = 60
STOP_S = 90
LOOK_AGAIN_S = 1.0
BLOCK = 1 << 16
UNKNOWN_COMMAND = 2


class OlderGuest(DsvmError):
    """The machine's guest code is of a dsvm that had no such runs."""


@dataclass(frozen=True)
class Run:
    """`state` is `running`, `waiting` (for the machine's next start), `stopped` (by a person) or
    `ended`, with the exit `status`. `log` is a path in the machine; `began` is in UTC."""

    number: int
    command: tuple[str, ...]
    state: str
    status: int | None
    starts: int
    began: datetime
    log: str

    @property
    def over(self) -> bool:
        return self.state in ("ended", "stopped")

    @property
    def words(self) -> str:
        return shlex.join(self.command)

    def json(self) -> dict[str, Any]:
        return {**vars(self), "began": self.began.isoformat()}


def runs(machine: Machine) -> list[Run]:
    """All that the machine knows, oldest first. Raises `SshFailed` and `RemoteFailed`."""
    return [
        Run(
            number=one["number"],
            command=tuple(one["command"]),
            state=one["state"],
            status=one["status"],
            starts=one["starts"],
            began=datetime.fromtimestamp(one["began"], UTC),
            log=one["log"],
        )
        for one in json.loads(_guest(machine, "ls"))
    ]


def unfinished(machine: Machine) -> list[Run]:
    """Those that the machine starts again when it boots."""
    try:
        return [one for one in runs(machine) if not one.over]
    except OlderGuest:
        return []


def run_of(machine: Machine, number: int) -> Run:
    """Raises `DsvmError` when there is none."""
    known = runs(machine)
    for one in known:
        if one.number == number:
            return one
    numbers = ", ".join(str(one.number) for one in known) or "none yet"
    raise DsvmError(
        f"machine `{machine.name}` has no run {number}", remedy=f"`dsvm runs`; there are: {numbers}"
    )


def begin(machine: Machine, command: Sequence[str]) -> int:
    """Start one; its number."""
    return int(_guest(machine, "add", json.dumps(list(command))))


def stop(machine: Machine, number: int) -> None:
    """End one for good."""
    run_of(machine, number)
    _guest(machine, "stop", str(number), timeout_s=STOP_S)


def follow(
    machines: Machines, name: str, number: int, out: IO[bytes], tell: Callable[[str], None]
) -> Run:
    """Copy what it writes to `out` until it is over, across any restart of its machine.

    `tell` gets a line when there is nothing to see for now. Raises `NoSuchMachine` when the machine
    is removed meanwhile, `DsvmError` when the run is undone: the machine is restored to before it.
    """
    seen, away = 0, False
    run_of(machines.get(name), number)
    while True:
        machine = machines.get(name)  # its port may be another one now
        try:
            if running(machine):
                machine.ssh.open()
                seen, status = _copied(machine, number, seen, out)
                if status != LOST and (found := run_of(machine, number)).over:
                    return found
        except SshFailed:
            pass
        gone = not running(machine)
        if gone and not away:
            tell(f"{name} does not run now; run {number} goes on when it starts")
        away = gone
        time.sleep(LOOK_AGAIN_S)


def _copied(machine: Machine, number: int, seen: int, out: IO[bytes]) -> tuple[int, int]:
    """The bytes seen by now, and how looking on ended: 0 when the run is over."""
    words = [*GUEST, "follow", str(number), "--start", str(seen)]
    with subprocess.Popen(
        machine.ssh.argv(words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as client:
        assert client.stdout is not None
        while block := client.stdout.read1(BLOCK):  # type: ignore[attr-defined]
            out.write(block)
            out.flush()
            seen += len(block)
    return seen, client.returncode


def _guest(machine: Machine, *words: str, timeout_s: float = ANSWER_S) -> str:
    try:
        limit = timeout_s * patience(machine)
        return machine.ssh.run([*GUEST, *words], timeout_s=limit).stdout
    except RemoteFailed as failed:
        if failed.returncode == UNKNOWN_COMMAND:
            raise OlderGuest(
                f"machine `{machine.name}` knows nothing of resumable runs",
                cause="its guest code is of an older version of dsvm",
                remedy="`dsvm up` renews it",
            ) from None
        raise
