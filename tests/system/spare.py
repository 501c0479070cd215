"""Machines for tests of the engine alone: disks of their own on the image of `small`."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from dsvm.engines import engine_named
from dsvm.engines.base import Engine, EngineMachine, Mount, Size, SshAddress
from dsvm.engines.nspawn.cgroups import hierarchies
from dsvm.engines.nspawn.plan import Places
from dsvm.machines.disk import create_disk
from dsvm.machines.machine import Machine
from dsvm.machines.parts import engine_machine
from dsvm.machines.ports import choose_port
from dsvm.machines.ssh import Ssh
from dsvm.store import Store

READY_S = 60.0
GIB = 1 << 30
SIZE = Size(cpus=1, memory=GIB // 2, disk=2 * GIB)


@dataclass(frozen=True)
class Spare:
    """One machine, its engine, and the login's SSH."""

    engine: Engine
    machine: EngineMachine
    ssh: Ssh

    def start(self) -> None:
        self.engine.start(self.machine)
        self.ssh.wait_ready(READY_S)

    def stop(self) -> None:
        self.ssh.close()
        self.engine.stop(self.machine, 20)

    def run(self, script: str, *, root: bool = False, check: bool = True) -> str:
        """Both streams of a shell script inside."""
        words = [*(["sudo"] if root else []), "sh", "-c", f"exec 2>&1\n{script}"]
        return self.ssh.run(words, check=check, timeout_s=120).stdout


@contextmanager
def spare(
    small: Machine,
    name: str,
    size: Size = SIZE,
    mounts: tuple[Mount, ...] = (),
    devices: tuple[str, ...] | None = None,
) -> Iterator[Spare]:
    """A machine like `small`, not started; gone at the end."""
    like = engine_machine(small)
    folder = small.home.root / "spare" / name
    folder.mkdir(parents=True)
    shutil.copytree(like.seed, folder / "seed")
    image = Store(small.home.store).get(small.record.image.digest)
    create_disk(image, folder / "disk.qcow2", size.disk, like.root_offset)
    machine = replace(
        like,
        name=name,
        folder=folder,
        disk=folder / "disk.qcow2",
        seed=folder / "seed",
        size=size,
        mounts=mounts,
        devices=devices,
        ports={22: choose_port(str(folder), ())},
        notes=[],
    )
    ssh = replace(small.ssh, address=SshAddress("127.0.0.1", machine.ports[22]))
    engine = engine_named("nspawn", small.home)
    engine.create(machine)
    try:
        yield Spare(engine, machine, ssh)
    finally:
        ssh.close()
        engine.stop(machine, 5)
        engine.destroy(machine)
        shutil.rmtree(folder)


@dataclass(frozen=True)
class Trace:
    """What of a machine can be seen on the host: processes, mounts, loop devices, groups."""

    processes: frozenset[int]
    mounts: tuple[str, ...]
    loops: tuple[str, ...]
    groups: tuple[str, ...]


def trace(spare_machine: Spare, processes: frozenset[int]) -> Trace:
    """What is left now; `processes` are those that it had."""
    return trace_of(spare_machine.machine.folder, processes)


def trace_of(folder: Path, processes: frozenset[int], below: Path | None = None) -> Trace:
    """The same of the machine in `folder`; mounts and loop devices of all that lies `below`."""
    place = str(below or folder)
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    loops = []
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):  # it has just gone
            loops.append(file.read_text())
    groups = [tree.root / "dsvm" / Places(folder).unit for tree in hierarchies()]
    return Trace(
        frozenset(filter(_alive, processes)),
        tuple(line for line in mounts if place in line),
        tuple(line for line in loops if place in line),
        tuple(str(group) for group in groups if group.exists()),
    )


def stand_still(pid: int) -> set[int]:
    """Stop a process and all its descendants; those that were stopped."""
    stopped: set[int] = set()
    while new := family(pid) - stopped:  # a stopped process makes no more of them
        for one in new:
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGSTOP)
        stopped |= new
    return stopped


def family(pid: int) -> frozenset[int]:
    """A process and all its descendants."""
    children: dict[int, list[int]] = {}
    for process, (_, parent) in _processes().items():
        children.setdefault(parent, []).append(process)
    found, todo = set(), [pid]
    while todo:
        found.add(next_pid := todo.pop())
        todo += children.get(next_pid, [])
    return frozenset(found)


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def _alive(pid: int) -> bool:
    return _processes().get(pid, ("Z", 0))[0] != "Z"


def _processes() -> dict[int, tuple[str, int]]:
    """Process id -> state, parent."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = file.read_text(errors="replace").rpartition(")")[2].split()
            found[int(file.parent.name)] = (fields[0], int(fields[1]))
    return found


def plan_of(spare_machine: Spare) -> dict[str, object]:
    """The plan of the machine's last start."""
    text = Places(spare_machine.machine.folder).plan.read_text()
    return dict(json.loads(text))
