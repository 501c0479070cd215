"""Process 1 of a machine's namespaces: mounts, boots, serves its engine, puts away.

It ends the whole machine when any part that the machine cannot live without is gone. A machine
that powers off is put away in order: its last process is gone, then the file system is unmounted,
then its loop device is gone, then the disk is flushed and closed.
"""

from __future__ import annotations

import errno
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from dsvm import linux
from dsvm.engines import live, storage
from dsvm.engines.base import AttachedLayer
from dsvm.engines.network import RESOLVER, check_ports, resolv_conf
from dsvm.engines.nspawn import given, mounts, network
from dsvm.engines.nspawn.cgroups import Cgroup
from dsvm.engines.nspawn.command import LAYERS, REBOOT_STATUS, Work, nspawn_argv
from dsvm.engines.nspawn.control import Listener, Request
from dsvm.engines.nspawn.plan import Places, Plan, State, write_state
from dsvm.engines.nspawn.seen import REFRESH_S, Seen
from dsvm.errors import DsvmError
from dsvm.programs import run as run_program

POWER_OFF = signal.SIGRTMIN + 4
"""systemd(1): process 1 starts poweroff.target."""

BOOT_TIMEOUT_S = 30.0
PUT_AWAY_TIMEOUT_S = 15.0
# A machine without its network is taken down in order, but at once.
CUT_OFF_TIMEOUT_S = 5.0
DISK_WAIT_S = 10.0
GROW_REASONS = {
    errno.EPERM: "root of this host may not resize a mounted file system (CAP_SYS_RESOURCE)",
    errno.ENOSPC: "its disk is not that large before it is started anew",
}
NSPAWN_STATE = Path("/run/systemd/nspawn")
USER_STATE = Path("/run/user")
NETNS = USER_STATE / "0" / "netns" / "dsvm"
"""Where pasta's AppArmor profile on Debian and Ubuntu lets it open a namespace."""


@dataclass(frozen=True)
class Run:
    """One run of a machine; `state` is completed once its init runs."""

    plan: Plan
    places: Places
    cgroup: Cgroup
    state: State


def run_machine(run: Run, answer: Callable[[object], None]) -> int:
    """Run the machine to its end; return the exit status. `answer` is told once that it runs."""
    machine = Machine(run.plan, run.places, run.cgroup)
    machine.prepare()
    notes = tuple(machine.notes)
    ending = REBOOT_STATUS
    while ending == REBOOT_STATUS:
        machine.boot()
        write_state(run.places, replace(run.state, since=time.time(), notes=notes))
        answer({"notes": notes})
        ending = machine.serve()
        machine.down()
    machine.put_away()
    return ending


class Machine:
    """The parts of one running machine."""

    def __init__(self, plan: Plan, places: Places, cgroup: Cgroup) -> None:
        self.notes: list[str] = []
        self._plan = plan
        self._places = places
        self._cgroup = cgroup
        self._work = Work(places.engine / "run")
        self._seen = Seen(self._work.root, cgroup)
        self._signals = _signal_pipe()
        self._storage: storage.Storage | None = None
        self._loop: Path | None = None
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._folder = -1
        self._nspawn = 0
        self._leader = 0
        self._pasta = 0
        self._kill_at: float | None = None

    def prepare(self) -> None:
        """All that lives as long as this process: limits, disk, mounts."""
        self.notes += self._cgroup.limit(self._plan.machine.size)
        self.notes += self._cgroup.allow(node.rule for node in self._plan.given.nodes)
        self.notes += self._plan.given.notes
        _private_view(self._work.root)
        self._folder = os.open(self._work.root, os.O_RDONLY | os.O_DIRECTORY)
        self._mount_disk()
        for layer in self._plan.machine.layers:
            self._mount_layer(layer)
        mounts.bind(self._plan.machine.seed, self._work.seed)
        for number, folder in enumerate(self._plan.machine.mounts):
            mounts.make_place(self._work.tree, folder.target)
            target = self._work.folder(number)
            if note := mounts.bind_folder(folder, target, self._plan.uid_base):
                self.notes.append(note)
        mounts.make_fuse(self._work.fuse)
        given.place(self._plan.given, self._work, self._work.tree, self._plan.uid_base)
        self._write_resolv_conf()
        # nspawn keeps locks and folders of its own there, for all machines of a host alike.
        _hide(NSPAWN_STATE, "755")
        _hide(USER_STATE, "755")
        NETNS.parent.mkdir(parents=True)

    def boot(self) -> None:
        """Start the machine's init and join its network. Raises `DsvmError`."""
        check_ports(self._plan.machine.ports)
        self._kill_at = None
        self._nspawn = self._start_nspawn()
        # As a file of ours: pasta may not look into /proc of other users' processes.
        NETNS.touch()
        linux.mount(f"/proc/{self._leader}/ns/net", NETNS, flags=linux.MS_BIND)
        resolver = self._work.resolv_conf.read_text(encoding="utf-8")
        self._pasta = network.join(
            NETNS,
            self._plan.machine.ports,
            self._places.log,
            forward_dns=RESOLVER in resolver,
        )
        self._cgroup.rescue(self._nspawn)
        if shown := self._seen.refresh():
            mounts.inject(self._leader, shown, userns=self._plan.uid_base is not None)

    def serve(self) -> int:
        """Until the machine ends: requests, signals, deaths. Return nspawn's exit status."""
        with selectors.DefaultSelector() as events, Listener(self._places.control) as listener:
            events.register(self._signals, selectors.EVENT_READ)
            events.register(listener, selectors.EVENT_READ)
            events.register(self._notices, selectors.EVENT_READ)
            while True:
                ready = events.select(self._patience())
                for key, _ in ready:
                    if key.fileobj is listener:
                        listener.answer_one(self._do)
                    elif key.fileobj is self._notices:
                        self._hear_notices()
                    elif signal.SIGTERM in os.read(self._signals, 64):
                        self._power_off(PUT_AWAY_TIMEOUT_S)
                ended = self._reap()
                if ended is not None:
                    return ended
                if self._kill_at is not None and time.monotonic() > self._kill_at:
                    _say("the machine did not power off in time: killed")
                    _kill(self._leader)
                    _kill(self._nspawn)
                self._write_resolv_conf()
                self._seen.refresh()

    def down(self) -> None:
        """No process of the machine is left, nor its network."""
        _kill(self._leader)
        _kill(self._pasta)
        linux.unmount(NETNS, lazy=True)
        storage_pid = self._storage.pid if self._storage else 0
        deadline = time.monotonic() + PUT_AWAY_TIMEOUT_S
        while network.children() - {storage_pid}:
            self._reap()
            if time.monotonic() > deadline:
                raise DsvmError("processes of the machine cannot be killed", log=self._places.log)
            time.sleep(0.005)

    def put_away(self) -> None:
        """Unmount, wait for the loop device, flush and close the disk."""
        linux.unmount(self._work.tree)
        deadline = time.monotonic() + PUT_AWAY_TIMEOUT_S
        while self._loop and _backs(self._loop, self._work.disk):
            if time.monotonic() > deadline:
                raise DsvmError("the machine's disk is still held", log=self._places.log)
            time.sleep(0.005)
        if self._storage:
            self._storage.close()

    def _mount_disk(self) -> None:
        machine = self._plan.machine
        self._work.tree.mkdir()
        self._storage = storage.export(
            machine.disk,
            self._work.disk,
            self._places.log,
            wait_s=DISK_WAIT_S,
            monitor=self._places.monitor,
        )
        # The daemon must not be among those that hold the mount it serves: were it the last of
        # them to be killed, it would have to unmount the file system, whose last writes wait for
        # the daemon itself, for ever.
        linux.unshare(linux.CLONE_NEWNS)
        options = f"loop,offset={machine.root_offset}"
        self._run("mount", "-t", "ext4", "-o", options, self._work.disk, self._work.tree)
        self._loop = _device_of(self._work.tree)

    def _mount_layer(self, layer: AttachedLayer) -> Path:
        target = self._work.layer(layer.digest)
        if not os.path.ismount(target):
            target.mkdir(parents=True, exist_ok=True)
            self._run("mount", "-t", "erofs", "-o", "loop,ro,nodev", layer.path, target)
        return target

    def _start_nspawn(self) -> int:
        self._work.notify.unlink(missing_ok=True)
        # Socket paths end at 108 bytes: /proc makes a deep folder's short. Both stay open, for
        # nspawn has more to tell later.
        self._notices.close()
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = f"/proc/{os.getpid()}/fd/{self._folder}/{self._work.notify.name}"
        self._notices.bind(address)
        with self._places.console.open("ab") as console:
            start = console.tell()
            process = subprocess.Popen(
                nspawn_argv(self._plan, self._work, given.binds(self._plan.given, self._work)),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={"PATH": os.environ.get("PATH", os.defpath), "NOTIFY_SOCKET": address},
                preexec_fn=self._cgroup.enter_machine,
                start_new_session=True,
            )
        self._leader = self._await_leader(process, start)
        return process.pid

    def _await_leader(self, process: subprocess.Popen[bytes], start: int) -> int:
        self._notices.settimeout(0.1)
        deadline = time.monotonic() + BOOT_TIMEOUT_S
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(TimeoutError):
                for line in self._notices.recv(4096).decode(errors="replace").splitlines():
                    name, _, value = line.partition("=")
                    if name == "X_NSPAWN_LEADER_PID":
                        return int(value)
        with self._places.console.open("rb") as console:
            console.seek(start)
            said = console.read().decode(errors="replace")[-2000:]
        raise DsvmError(
            f"machine `{self._plan.machine.name}` did not boot",
            cause=said or f"systemd-nspawn said nothing in {BOOT_TIMEOUT_S:.0f} s",
            log=self._places.console,
        )

    def _hear_notices(self) -> None:
        """Take what nspawn tells: its queue holds a few, and a full one stops it, and so init."""
        self._notices.setblocking(False)
        with suppress(BlockingIOError):
            while self._notices.recv(4096):
                pass

    def _do(self, request: Request) -> None:
        if request.stop_in is not None:
            self._power_off(request.stop_in)
        if request.overlay is not None:
            self._go_on(request.overlay)
        if request.root_bytes is not None:
            self._grow(request.root_bytes)
        if request.attach:
            shown = {Path(LAYERS) / new.digest: self._mount_layer(new) for new in request.attach}
            userns = self._plan.uid_base is not None
            mounts.inject(self._leader, shown, userns=userns, translate=True)

    def _go_on(self, overlay: Path) -> None:
        """Frozen meanwhile, so that what the snapshot has needs no recovery."""
        with linux.frozen(self._work.tree):
            live.go_on(self._places.monitor, overlay, self._plan.machine.name)

    def _grow(self, length: int) -> None:
        try:
            linux.grow_ext4(self._work.tree, length)
        except OSError as refused:
            raise DsvmError(
                f"the disk of machine `{self._plan.machine.name}` cannot grow while it runs",
                cause=GROW_REASONS.get(refused.errno or 0) or str(refused),
            ) from None

    def _power_off(self, timeout_s: float) -> None:
        if self._kill_at is None:
            with suppress(ProcessLookupError):
                os.kill(self._leader, POWER_OFF)
        self._kill_at = min(self._kill_at or float("inf"), time.monotonic() + timeout_s)

    def _reap(self) -> int | None:
        """nspawn's exit status when it ended. Raises `DsvmError` when the disk is gone."""
        dead = dict(_dead_children())
        if self._storage and self._storage.pid in dead:
            raise DsvmError("the storage daemon died: the machine went down with its disk")
        if self._nspawn in dead:
            return os.waitstatus_to_exitcode(dead[self._nspawn])
        if self._pasta in dead and self._kill_at is None and Path(f"/proc/{self._leader}").exists():
            _say("pasta died: the machine goes down with its network")
            self._power_off(CUT_OFF_TIMEOUT_S)
        return None

    def _patience(self) -> float:
        if self._kill_at is None:
            return REFRESH_S
        return max(0.0, min(self._kill_at - time.monotonic(), 1.0)) + 0.01

    def _write_resolv_conf(self) -> None:
        # The host moves between networks; written in place, for the machine has this very file.
        text = resolv_conf()
        file = self._work.resolv_conf
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")

    def _run(self, *argv: str | Path) -> None:
        run_program(argv, log=self._places.log)


def _private_view(work: Path) -> None:
    """No mount made from here on is seen outside, and /proc is that of this pid namespace."""
    linux.unshare(linux.CLONE_NEWNS)
    linux.mount("none", Path("/"), flags=linux.MS_REC | linux.MS_PRIVATE)
    flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
    linux.mount("proc", Path("/proc"), "proc", flags)
    _hide(work, "755")


def _hide(place: Path, mode: str) -> None:
    """Lay an empty folder of our own over a shared one of the host."""
    place.mkdir(parents=True, exist_ok=True)
    linux.mount("tmpfs", place, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, f"mode={mode}")


def _signal_pipe() -> int:
    """A descriptor on which the numbers of SIGCHLD and SIGTERM can be read as they come."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    return reader


def _device_of(mounted: Path) -> Path | None:
    """The block device's folder in /sys of what is mounted there."""
    number = mounted.stat().st_dev
    device = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    return device.resolve() if device.exists() else None


def _backs(loop: Path, disk: Path) -> bool:
    with suppress(OSError):
        return (loop / "loop" / "backing_file").read_text().strip() == str(disk)
    return False


def _dead_children() -> Iterator[tuple[int, int]]:
    """Process id and wait status of each child that ended since the last look."""
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            yield found


def _kill(pid: int) -> None:
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _say(text: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}", file=sys.stderr, flush=True)
