"""The engine as the rest of dsvm sees it: starts, asks and ends QEMU."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dsvm.engines import live, qmp
from dsvm.engines.base import (
    AttachedLayer,
    EngineMachine,
    Running,
    Size,
    SshAddress,
    Unusable,
    Usable,
)
from dsvm.engines.network import RESOLVER, check_ports, is_free, resolv_conf
from dsvm.engines.qemu import command, firmware, folders, passt, probe, process, seed_disk, vfio
from dsvm.engines.qemu.places import Places, State, read_state, write_state
from dsvm.engines.storage import IN_USE, DiskInUse
from dsvm.errors import DsvmError
from dsvm.home import Home

LOOPBACK = "127.0.0.1"
SSH_PORT = 22
START_TIMEOUT_S = 60.0
QUIT_TIMEOUT_S = 30.0
KILL_TIMEOUT_S = 10.0
# The power button is pressed again: before its login manager runs, a machine does not hear it.
PRESS_AGAIN_S = 10.0
POLL_S = 0.02
CUT_OFF = "its network has died: `dsvm start` restarts it"


class QemuEngine:
    """See `dsvm.engines.base.Engine`."""

    name = "qemu"
    rank = 10
    resizes_running = False
    needs_root = False

    def __init__(self, home: Home) -> None:
        self._home = home

    def programs(self) -> dict[str, str]:
        return probe.programs()

    def probe(self, *, force: bool = False) -> Usable | Unusable:
        """Run virtual CPUs until the firmware speaks; the answer is kept in the cache."""
        return probe.probe(self._home, force=force)

    def folders(self) -> Unusable | None:
        return folders.refusal()

    def gives(self, names: tuple[str, ...]) -> Unusable | None:
        return vfio.Host().gives(names)

    def create(self, machine: EngineMachine) -> None:
        _refuse_folders(machine)
        Places(machine.folder).engine.mkdir(mode=0o700, parents=True, exist_ok=True)

    def start(self, machine: EngineMachine) -> None:
        _refuse_folders(machine)
        found, uefi = probe.find(self._home), firmware.find()
        if isinstance(found, Unusable) or uefi is None:
            raise DsvmError(
                f"machine `{machine.name}` cannot be started",
                cause=f"engine `qemu`: {getattr(found, 'reason', 'no UEFI firmware')}",
                remedy=getattr(found, "remedy", None),
            )
        host = vfio.Host()
        given, left_out = host.wanted(machine)
        places = Places(machine.folder)
        if not process.wait_gone(places.pid, KILL_TIMEOUT_S):
            raise DsvmError(f"machine `{machine.name}` is running already")
        _prepare(machine, places, uefi)
        answer = self.probe()
        notes = (*(answer.notes if isinstance(answer, Usable) else ()), *left_out)
        write_state(places, State(notes, found.accelerator.patience))
        with (
            _network(machine, places) as (network, joined),
            folders.served(machine, places) as (shown, alive),
        ):
            more = [*network, *shown, *host.argv(given)]
            argv = command.machine_argv(machine, found.accelerator, uefi, more)
            _launch(machine, places, argv, (*joined, *alive))
        machine.notes.extend(note for note in notes if note not in machine.notes)

    def running(self, machine: EngineMachine) -> Running | None:
        places = Places(machine.folder)
        pid = process.holder(places.pid)
        if pid is None:
            return None
        state = read_state(places)
        # Its network is another process, which QEMU outlives. It holds the port as long as it does.
        cut_off = is_free(machine.ports[SSH_PORT])
        notes = (*state.notes, CUT_OFF) if cut_off else state.notes
        return Running(pid, places.pid.stat().st_mtime, notes, state.patience, cut_off)

    def ssh(self, machine: EngineMachine) -> SshAddress:
        return SshAddress(LOOPBACK, machine.ports[SSH_PORT])

    def attach(self, machine: EngineMachine, layers: tuple[AttachedLayer, ...]) -> None:
        places = Places(machine.folder)
        _write_seed(machine, places)
        try:
            known = _nodes(qmp.ask(places.qmp, ("query-named-block-nodes", {}))[0])
            for layer in layers:
                node, device = command.layer_node(layer), command.layer_device(layer)
                if node["node-name"] not in known:
                    qmp.ask(places.qmp, ("blockdev-add", node), ("device_add", device))
        except qmp.Unreachable as gone:
            raise DsvmError(f"machine `{machine.name}` does not run", cause=str(gone)) from None
        except (qmp.Refused, TimeoutError) as refused:
            raise DsvmError(
                f"machine `{machine.name}` does not take another layer while it runs",
                cause=str(refused) or "QEMU did not answer",
                remedy=f"dsvm stop {machine.name} and dsvm start {machine.name}",
                log=places.log,
            ) from None

    def stop(self, machine: EngineMachine, timeout_s: float) -> None:
        places = Places(machine.folder)
        deadline = time.monotonic() + timeout_s
        while process.holder(places.pid) is not None and time.monotonic() < deadline:
            _tell(places, "system_powerdown")
            left = deadline - time.monotonic()
            process.wait_gone(places.pid, max(0.0, min(left, PRESS_AGAIN_S)))
        if process.holder(places.pid) is not None:
            _tell(places, "quit")  # flushes the disk; the machine's own caches are lost
            if not process.wait_gone(places.pid, QUIT_TIMEOUT_S):
                process.kill(places.pid)
        if not process.wait_gone(places.pid, KILL_TIMEOUT_S):
            raise DsvmError(f"machine `{machine.name}` cannot be stopped", log=places.log)
        _sweep(places)

    def snapshot(self, machine: EngineMachine, overlay: Path) -> None:
        live.go_on(Places(machine.folder).qmp, overlay, machine.name)

    def screen(self, machine: EngineMachine) -> Path | None:
        places = Places(machine.folder)
        return places.vnc if process.holder(places.pid) is not None else None

    def resize(self, machine: EngineMachine, size: Size) -> None:
        """A stopped machine takes its size at its start."""
        same = (size.cpus, size.memory) == (machine.size.cpus, machine.size.memory)
        if not same and self.running(machine) is not None:
            raise DsvmError(
                f"the size of machine `{machine.name}` cannot change while it runs",
                cause="it is virtual hardware",
                remedy=f"dsvm stop {machine.name}",
            )

    def grow(self, machine: EngineMachine, length: int) -> bool:
        return False

    def destroy(self, machine: EngineMachine) -> None:
        places = Places(machine.folder)
        if process.holder(places.pid) is not None:
            raise DsvmError(
                f"machine `{machine.name}` still runs", remedy=f"dsvm stop {machine.name}"
            )
        shutil.rmtree(places.engine, ignore_errors=True)


def _refuse_folders(machine: EngineMachine) -> None:
    if machine.mounts and (refusal := folders.refusal()):
        raise DsvmError(
            f"machine `{machine.name}` cannot run with engine `qemu`",
            cause=refusal.reason,
            remedy=refusal.remedy,
        )


def _prepare(machine: EngineMachine, places: Places, uefi: firmware.Firmware) -> None:
    _sweep(places)
    places.engine.mkdir(mode=0o700, parents=True, exist_ok=True)
    places.console.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(uefi.variables, places.vars)
    _write_seed(machine, places)


def _write_seed(machine: EngineMachine, places: Places) -> None:
    told = {
        "resolv.conf": resolv_conf().encode(),
        folders.SEED_FILE: folders.told(machine.mounts),
    }
    seed_disk.write(places.seed, machine.seed, told)


@contextmanager
def _network(machine: EngineMachine, places: Places) -> Iterator[tuple[list[str], tuple[int, ...]]]:
    """QEMU's options for it, and the descriptors that they name."""
    if not probe.has_passt():
        check_ports(machine.ports)
        yield command.user_network(machine.ports), ()
        return
    forward_dns = RESOLVER in resolv_conf()
    with passt.joined(machine.ports, places.log, forward_dns=forward_dns) as descriptor:
        yield command.passt_network(descriptor), (descriptor,)


def _launch(
    machine: EngineMachine, places: Places, argv: list[str], inherited: tuple[int, ...]
) -> None:
    """Start QEMU, which outlives this process, and wait until it runs the machine."""
    with places.log.open("ab") as log:
        start = log.tell()
        started = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=places.engine,
            umask=0o077,
            pass_fds=inherited,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _runs(places, started.pid):
        if started.poll() is not None:
            raise _failure(machine, places, start)
        if time.monotonic() > deadline:
            started.kill()
            started.wait()
            raise DsvmError(f"QEMU did not answer in {START_TIMEOUT_S:.0f} s", log=places.log)
        time.sleep(POLL_S)
    # It is meant to outlive this process and is nobody's zombie then. While this process lives,
    # it is collected whenever the next program ends.
    started.returncode = 0


def _runs(places: Places, pid: int) -> bool:
    if process.holder(places.pid) != pid:
        return False
    with suppress(qmp.Unreachable):
        status = qmp.ask(places.qmp, ("query-status", {}))[0]
        return isinstance(status, dict) and bool(status["running"])
    return False


def _failure(machine: EngineMachine, places: Places, start: int) -> DsvmError:
    with places.log.open("rb") as log:
        log.seek(start)
        said = log.read().decode(errors="replace").strip()
    if IN_USE in said and str(machine.disk) in said:
        return DiskInUse(
            f"the disk {machine.disk} is in use",
            cause=said,
            remedy="stop what has it open; a machine's disk belongs to one machine",
            log=places.log,
        )
    return DsvmError(
        f"machine `{machine.name}` did not start",
        cause=said or "QEMU ended without a word",
        log=places.log,
    )


def _tell(places: Places, what: str) -> None:
    """A command to a machine that may be about to end."""
    with suppress(qmp.Unreachable, qmp.Refused, TimeoutError):
        qmp.ask(places.qmp, (what, {}))


def _nodes(answer: object) -> set[str]:
    return {str(node["node-name"]) for node in answer} if isinstance(answer, list) else set()


def _sweep(places: Places) -> None:
    """What a killed QEMU could not put away."""
    for file in (places.pid, places.qmp, places.vnc, places.state, places.seed):
        file.unlink(missing_ok=True)
    folders.sweep(places)
