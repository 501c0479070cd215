"""The engine as the rest of dsvm sees it: starts, asks and ends supervisors."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import dsvm
from dsvm.engines.base import (
    AttachedLayer,
    EngineMachine,
    Running,
    Size,
    SshAddress,
    Unusable,
    Usable,
)
from dsvm.engines.cdi.given import NOTHING
from dsvm.engines.network import check_ports
from dsvm.engines.nspawn import control, given, limits, probe
from dsvm.engines.nspawn.cgroups import Cgroup
from dsvm.engines.nspawn.command import UID_COUNT
from dsvm.engines.nspawn.held import holder, locked, wait_unlocked
from dsvm.engines.nspawn.plan import Places, Plan, State, read_state, write_plan
from dsvm.errors import DsvmError
from dsvm.home import Home

LOOPBACK = "127.0.0.1"
SSH_PORT = 22
# Beyond the machine's own time to power off: unmounting and flushing a large disk.
FLUSH_TIMEOUT_S = 90.0
KILL_TIMEOUT_S = 10.0
PROBE_TIMEOUT_S = 10.0
# How long a machine that comes up or goes away may be without a state.
SETTLE_S = 2.0
UNREADABLE = "started by another version of dsvm: `dsvm stop` and `dsvm start` renew it"
# systemd's range for containers (UIDS-GIDS.md), in steps of one machine.
UID_FIRST, UID_LAST = 524288, 1878982656
SYSTEMD = Path("/run/systemd/system")


class NspawnEngine:
    """See `dsvm.engines.base.Engine`."""

    name = "nspawn"
    rank = 20
    resizes_running = True
    needs_root = True

    def __init__(self, home: Home) -> None:
        self._home = home

    def programs(self) -> dict[str, str]:
        return dict(probe.PROGRAMS)

    def probe(self, *, force: bool = False) -> Usable | Unusable:
        """Boot something small with all that a machine needs; the answer is kept in the cache."""
        return probe.probe(self._home, self._boot_once, force=force)

    def folders(self) -> Unusable | None:
        return None

    def gives(self, names: tuple[str, ...]) -> Unusable | None:
        return given.refused(names)

    def create(self, machine: EngineMachine) -> None:
        Places(machine.folder).engine.mkdir(parents=True, exist_ok=True)

    def start(self, machine: EngineMachine) -> None:
        answer = self.probe()
        if isinstance(answer, Unusable):
            raise DsvmError(
                f"machine `{machine.name}` cannot be started",
                cause=f"engine `nspawn`: {answer.reason}",
                remedy=answer.remedy,
            )
        raised = limits.make_room()
        self._launch(machine, userns=not any(probe.ROOT_IS_ROOT in note for note in answer.notes))
        notes = (*answer.notes, *([raised] if raised else []))
        machine.notes.extend(note for note in notes if note not in machine.notes)

    def running(self, machine: EngineMachine) -> Running | None:
        places = Places(machine.folder)
        if not locked(places):
            _sweep(places)
            return None
        state = _settled(places)
        if state is not None:
            return Running(state.pid, state.since, _notes(state))
        pid = holder(places)
        if pid is None:  # it has just ended
            return None
        return Running(pid, places.plan.stat().st_mtime, (UNREADABLE,))

    def ssh(self, machine: EngineMachine) -> SshAddress:
        return SshAddress(LOOPBACK, machine.ports[SSH_PORT])

    def attach(self, machine: EngineMachine, layers: tuple[AttachedLayer, ...]) -> None:
        try:
            control.ask(Places(machine.folder).control, control.Request(attach=layers))
        except OSError as gone:
            raise DsvmError(f"machine `{machine.name}` does not run", cause=str(gone)) from None

    def stop(self, machine: EngineMachine, timeout_s: float) -> None:
        places = Places(machine.folder)
        if locked(places):
            try:
                control.ask(places.control, control.Request(stop_in=timeout_s))
            except OSError:  # it is coming up, ending already, or speaks another version's words
                _signal(places, signal.SIGTERM)
            if not wait_unlocked(places, timeout_s + FLUSH_TIMEOUT_S):
                self._kill(machine, places)
        _sweep(places)

    def snapshot(self, machine: EngineMachine, overlay: Path) -> None:
        places = Places(machine.folder)
        if locked(places) and not places.monitor.exists():
            raise DsvmError(
                f"machine `{machine.name}` cannot be kept while it runs",
                cause="it was started by an older dsvm",
                remedy=f"dsvm stop {machine.name}",
            )
        try:
            control.ask(places.control, control.Request(overlay=overlay.absolute()))
        except OSError as gone:
            raise DsvmError(f"machine `{machine.name}` does not run", cause=str(gone)) from None

    def screen(self, machine: EngineMachine) -> Path | None:
        return None

    def resize(self, machine: EngineMachine, size: Size) -> None:
        """Processors and memory change at once; a stopped machine takes its size at its start."""
        if self.running(machine) is None:
            return
        places = Places(machine.folder)
        state = read_state(places)
        scope = state.scope if state else None
        machine.notes[:] = Cgroup(places.unit, scope=scope).limit(size)

    def grow(self, machine: EngineMachine, length: int) -> bool:
        try:
            control.ask(Places(machine.folder).control, control.Request(root_bytes=length))
        except OSError as gone:
            raise DsvmError(
                f"the disk of machine `{machine.name}` cannot grow while it runs",
                cause=f"it was started by an older dsvm, or does not run ({gone})",
            ) from None
        return True

    def destroy(self, machine: EngineMachine) -> None:
        places = Places(machine.folder)
        if locked(places):
            raise DsvmError(
                f"machine `{machine.name}` still runs", remedy=f"dsvm stop {machine.name}"
            )
        _sweep(places)
        shutil.rmtree(places.engine, ignore_errors=True)

    def _boot_once(self, machine: EngineMachine, init: str, userns: bool) -> None:
        """For the probe: run until the machine says that all is well, and stop it."""
        self.create(machine)
        self._launch(machine, userns=userns, init=init)
        console = Places(machine.folder).console
        deadline = time.monotonic() + PROBE_TIMEOUT_S
        said = ""
        while said.splitlines()[-1:] != [probe.READY]:
            if time.monotonic() > deadline or not locked(Places(machine.folder)):
                self.stop(machine, 0)
                raise DsvmError("the probe did not run to its end", cause=said or None)
            time.sleep(0.01)
            said = console.read_text(encoding="utf-8", errors="replace")
        self.stop(machine, 0)

    def _launch(self, machine: EngineMachine, *, userns: bool, init: str | None = None) -> None:
        places = Places(machine.folder)
        if locked(places) and not wait_unlocked(places, KILL_TIMEOUT_S):
            raise DsvmError(f"machine `{machine.name}` is running already")
        _sweep(places)
        check_ports(machine.ports)
        places.engine.mkdir(parents=True, exist_ok=True)
        places.console.parent.mkdir(parents=True, exist_ok=True)
        base = _free_uids(machine.folder) if userns else None
        devices = NOTHING if init else given.wanted(machine)
        write_plan(Plan(machine, base, _systemd(), init, devices))
        reader, writer = os.pipe()
        with places.log.open("ab") as log, os.fdopen(reader, "rb") as answer:
            process = subprocess.Popen(
                _supervisor_argv(places, writer),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={**os.environ, "PYTHONPATH": _python_path()},
                pass_fds=(writer,),
                start_new_session=True,
            )
            os.close(writer)
            said = answer.read()
        _check_answer(machine, places, said, process)

    def _kill(self, machine: EngineMachine, places: Places) -> None:
        _signal(places, signal.SIGKILL)
        if not wait_unlocked(places, KILL_TIMEOUT_S):
            raise DsvmError(f"machine `{machine.name}` cannot be stopped", log=places.log)


def _supervisor_argv(places: Places, ready: int) -> list[str]:
    argv = [sys.executable, "-m", "dsvm.engines.nspawn.supervisor", str(places.plan), str(ready)]
    if not _systemd():
        return argv
    # Where systemd owns the control groups it hands us a part of its tree; the scope also lets
    # the machine outlive the session that started it.
    return [
        "systemd-run",
        "--scope",
        "--quiet",
        "--collect",
        f"--unit=dsvm-{places.unit}",
        "--property=Delegate=yes",
        *argv,
    ]


def _check_answer(
    machine: EngineMachine, places: Places, said: bytes, process: subprocess.Popen[bytes]
) -> None:
    try:
        answer = json.loads(said)
    except ValueError:
        process.wait()
        raise DsvmError(
            f"machine `{machine.name}` did not start",
            cause=f"its supervisor ended with status {process.returncode} and no word",
            log=places.log,
        ) from None
    if "error" in answer:
        process.wait()
        raise control.error_from(answer["error"])
    machine.notes[:] = answer["notes"]
    # The supervisor is meant to outlive this process; it is nobody's zombie then. While this
    # process lives, it is collected whenever the next program ends.
    process.returncode = 0


def _settled(places: Places) -> State | None:
    """The state of a running machine, once it has come up or has gone; None: it cannot be read."""
    deadline = time.monotonic() + SETTLE_S
    while (state := read_state(places)) is None and not places.state.exists():
        if time.monotonic() > deadline or not locked(places):
            break
        time.sleep(0.01)
    return state


def _signal(places: Places, number: signal.Signals) -> None:
    pid = holder(places)
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _notes(state: State) -> tuple[str, ...]:
    return (*state.notes, *((probe.ROOT_IS_ROOT,) if state.uid_base is None else ()))


def _sweep(places: Places) -> None:
    """What a killed supervisor could not put away: only empty groups and files."""
    for file in (places.state, places.control):
        file.unlink(missing_ok=True)
    if places.engine.exists():
        Cgroup(places.unit, scope=None).remove()


def _systemd() -> bool:
    """Whether systemd is this host's init: sd_booted(3)."""
    return SYSTEMD.is_dir()


def _python_path() -> str:
    """Where the supervisor finds this very package, from a checkout or installed."""
    ours = str(Path(dsvm.__file__).parents[1])
    inherited = os.environ.get("PYTHONPATH")
    return os.pathsep.join([ours, inherited] if inherited else [ours])


def _free_uids(folder: Path) -> int:
    """Where 65536 ids begin that nothing on this host runs with; the same each time if it can."""
    used = {uid // UID_COUNT for uid in _uids_in_use()}
    count = (UID_LAST - UID_FIRST) // UID_COUNT
    begin = int.from_bytes(hashlib.sha256(os.fsencode(folder)).digest()[:4])
    for step in range(count):
        base = UID_FIRST + (begin + step) % count * UID_COUNT
        if base // UID_COUNT not in used:
            return base
    raise DsvmError("no range of user ids is free on this host")


def _uids_in_use() -> set[int]:
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            found.add(process.stat().st_uid)
    return found
