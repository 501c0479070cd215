"""Holds a machine to its size by control groups, of version 1, 2 or both at once (hybrid).

    <hierarchy>/dsvm/<unit>/engine     supervisor, storage daemon, pasta, systemd-nspawn: never
                                       killed for the machine's memory
    <hierarchy>/dsvm/<unit>/machine    all of the machine: the limits are here

Where systemd is the host's init it owns the tree of version 2, and <hierarchy>/dsvm/<unit> is the
delegated scope that the supervisor was started in. Kernel: admin-guide/cgroup-v1, cgroup-v2.rst.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dsvm.engines.base import Size

LIMITED = ("cpu", "cpuset", "memory", "pids")
CPU_PERIOD_US = 100_000
# The kernel's own memory of an idle process, charged to its group, with room to spare: processes
# run out before memory does.
BYTES_PER_PROCESS = 1 << 18
PIDS_MIN, PIDS_MAX = 1024, 32_768
# What a machine may use of the host's devices: null, zero, full, random, urandom, tty, console,
# ptmx, pts, tun, fuse. Making other nodes is refused, so is opening them.
DEVICES = ("1:3", "1:5", "1:7", "1:8", "1:9", "5:0", "5:1", "5:2", "136:*", "10:200", "10:229")


@dataclass(frozen=True)
class Hierarchy:
    """One mounted tree of control groups; version 2 tells its controllers in a file."""

    root: Path
    version: int
    controllers: frozenset[str]


class Cgroup:
    """The control groups of one machine.

    `scope` is the group of version 2 that systemd delegated, relative to its root; None where we
    make our own. `own_group` tells it, asked by a process that was started in the scope.
    """

    def __init__(self, unit: str, *, scope: str | None) -> None:
        self._scope = scope
        self._bases = {
            tree: tree.root / scope if scope and tree.version == 2 else tree.root / "dsvm" / unit
            for tree in hierarchies()
        }

    def enter(self) -> None:
        """Make the groups and move the calling process into `engine`."""
        for tree, base in self._bases.items():
            with suppress(OSError):  # a tree that is read-only here: `limit` reports it
                _make(tree, base)
                _write(base / "engine" / "cgroup.procs", "0")
        for tree, base in self._bases.items():
            if tree.version == 2:
                # What is above a scope is systemd's to change.
                above = () if self._scope else (tree.root, base.parent)
                _delegate(tree, (*above, base))

    def enter_machine(self) -> None:
        """Move the calling process into `machine`: for a child before it becomes nspawn."""
        for base in self._bases.values():
            with suppress(OSError):
                _write(base / "machine" / "cgroup.procs", "0")

    def rescue(self, pid: int) -> None:
        """Take nspawn, which started in `machine`, back to `engine`.

        It is small, but so are the machine's processes when many share too little memory, and
        the machine would die with it.
        """
        for base in self._bases.values():
            with suppress(OSError):
                _write(base / "engine" / "cgroup.procs", str(pid))

    def limit(self, size: Size) -> list[str]:
        """Set the limits, also of a running machine; return what is not enforced, and why."""
        return [*self._limit_memory(size), *self._limit_cpus(size), *self._limit_pids(size)]

    def allow(self, devices: Iterable[str] = ()) -> list[str]:
        """Let the machine open what every machine may and these devices of the host (rules of the
        control group), and no others; return what could not be allowed, and why.

        Version 2 has no such group, and no program that keeps devices from the machine.
        """
        group = self._group("devices")
        if group is None:
            return []
        with suppress(OSError):
            _write(group / "devices.deny", "a")
            for numbers in DEVICES:
                _write(group / "devices.allow", f"c {numbers} rwm")
        notes = []
        for rule in devices:
            try:
                _write(group / "devices.allow", rule)
            except OSError as refused:
                notes.append(f"device {rule.split()[1]} not allowed: {refused.strerror}")
        return notes

    def remove(self) -> None:
        """Remove the groups where they are empty; a scope is removed by systemd."""
        ours = {tree: base for tree, base in self._bases.items() if not self._is_scope(tree)}
        for tree, base in ours.items():
            with suppress(OSError):
                if str(base / "engine") in _groups_of_self(tree):
                    _write(tree.root / "cgroup.procs", "0")
        for base in ours.values():
            remove_tree(base)

    def cpus(self) -> str | None:
        """The processors the machine is held to, as the kernel lists them: `0-2,5`."""
        group = self._group("cpuset")
        return (group / "cpuset.cpus").read_text().strip() if group else None

    def memory(self) -> tuple[int, int, dict[str, int]] | None:
        """Limit, bytes used (page cache included), and the kernel's parts of it by name."""
        group = self._group("memory")
        if group is None:
            return None
        for limit, used in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            with suppress(OSError, ValueError):
                numbers = int((group / limit).read_text()), int((group / used).read_text())
                return *numbers, _memory_parts((group / "memory.stat").read_text())
        return None

    def _limit_memory(self, size: Size) -> list[str]:
        group = self._group("memory")
        if group is None:
            return ["memory not enforced: no memory control group here"]
        try:
            if (group / "memory.max").exists():
                _write(group / "memory.max", str(size.memory))
                _optional(group / "memory.swap.max", "0")
            else:
                # Lowered, the plain limit must go first; raised, the one with swap.
                for name in ("memory.limit", "memory.memsw.limit", "memory.limit"):
                    _optional(group / f"{name}_in_bytes", str(size.memory))
                if int((group / "memory.limit_in_bytes").read_text()) > size.memory:
                    return ["memory not enforced: the kernel kept another limit"]
        except OSError as refused:
            return [f"memory not enforced: {refused.strerror}"]
        return []

    def _limit_cpus(self, size: Size) -> list[str]:
        host = sorted(os.sched_getaffinity(0))
        notes = []
        if size.cpus > len(host):
            notes.append(f"cpus: {size.cpus} asked, this host has {len(host)}")
        count = min(size.cpus, len(host))
        if not self._pin(host, count):
            if not self._quota(count):
                return [*notes, "cpus not enforced: neither cpuset nor cpu control group here"]
            notes.append("cpus enforced by time only: the machine sees all of the host's")
        return notes

    def _pin(self, host: list[int], count: int) -> bool:
        group = self._group("cpuset")
        if group is None:
            return False
        busy = Counter(_siblings_cpus(group))
        chosen = sorted(sorted(host, key=lambda cpu: (busy[cpu], cpu))[:count])
        try:
            _write(group / "cpuset.cpus", ",".join(map(str, chosen)))
        except OSError:
            return False
        return True

    def _quota(self, count: int) -> bool:
        group = self._group("cpu")
        if group is None:
            return False
        quota = str(count * CPU_PERIOD_US)
        try:
            if (group / "cpu.max").exists():
                _write(group / "cpu.max", f"{quota} {CPU_PERIOD_US}")
            else:
                _write(group / "cpu.cfs_quota_us", quota)
        except OSError:
            return False
        return True

    def _limit_pids(self, size: Size) -> list[str]:
        try:
            pids = self._group("pids")
            if pids is None:
                raise OSError(0, "no pids control group here")
            most = min(PIDS_MAX, max(PIDS_MIN, size.memory // BYTES_PER_PROCESS))
            _write(pids / "pids.max", str(most))
        except OSError as refused:
            return [f"number of processes not enforced: {refused.strerror}"]
        return []

    def _is_scope(self, tree: Hierarchy) -> bool:
        return bool(self._scope) and tree.version == 2

    def _group(self, controller: str) -> Path | None:
        for tree, base in self._bases.items():
            group = base / "machine"
            if controller in tree.controllers and group.is_dir():
                enabled = group / "cgroup.controllers"
                if tree.version == 1 or controller in enabled.read_text().split():
                    return group
        return None


def hierarchies() -> list[Hierarchy]:
    """The trees mounted on this host, those of version 1 first."""
    found: dict[Path, Hierarchy] = {}
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        before, _, after = line.partition(" - ")
        fstype, _, options = after.split(" ", 2)
        root = Path(before.split()[4])
        if fstype == "cgroup":
            found[root] = Hierarchy(root, 1, frozenset(options.split(",")))
        elif fstype == "cgroup2":
            with suppress(OSError):
                listed = (root / "cgroup.controllers").read_text().split()
                found[root] = Hierarchy(root, 2, frozenset(listed))
    return sorted(found.values(), key=lambda tree: (tree.version, tree.root))


def remove_tree(group: Path) -> None:
    """Remove a group with all below it, as far as no process is in it."""
    if not group.is_dir():
        return
    for folder, _, _ in os.walk(group, topdown=False):
        with suppress(OSError):
            Path(folder).rmdir()
    if group.parent.name == "dsvm":
        with suppress(OSError):
            group.parent.rmdir()


def own_group() -> str:
    """The calling process's group of version 2, relative to the root of that tree."""
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        if line.startswith("0::"):
            return line[3:].strip("/")
    return ""


def _groups_of_self(tree: Hierarchy) -> set[str]:
    lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    return {str(tree.root / line.split(":", 2)[2].strip("/")) for line in lines}


def _make(tree: Hierarchy, base: Path) -> None:
    for group in (base.parent, base, base / "engine", base / "machine"):
        group.mkdir(exist_ok=True)
        if tree.version == 1 and "cpuset" in tree.controllers:
            # A new group of version 1 has no processors and no memory: none can enter it.
            for name in ("cpuset.cpus", "cpuset.mems"):
                if not (group / name).read_text().strip():
                    _write(group / name, (group.parent / name).read_text())


def _delegate(tree: Hierarchy, groups: Iterable[Path]) -> None:
    """Let these groups divide what they have among the groups below them."""
    for group in groups:
        for controller in LIMITED:
            if controller in tree.controllers:
                with suppress(OSError):
                    _write(group / "cgroup.subtree_control", f"+{controller}")


def _siblings_cpus(group: Path) -> Iterable[int]:
    for other in group.parent.parent.glob("*/machine/cpuset.cpus"):
        if other.parent != group and _occupied(other.parent):
            yield from cpu_list(other.read_text())


def _occupied(group: Path) -> bool:
    return any(file.read_text().strip() for file in group.rglob("cgroup.procs"))


def cpu_list(text: str) -> Iterable[int]:
    """`0-2,5` as 0, 1, 2, 5."""
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first:
            yield from range(int(first), int(last or first) + 1)


def _memory_parts(text: str) -> dict[str, int]:
    """memory.stat, with version 2's words; version 1 counts the groups below as `total_`."""
    found = {name: int(value) for name, value in (line.split() for line in text.splitlines())}
    below = {name[6:]: value for name, value in found.items() if name.startswith("total_")}
    return found | below | ({"file": below["cache"]} if "cache" in below else {})


def _optional(file: Path, text: str) -> None:
    with suppress(OSError):
        _write(file, text)


def _write(file: Path, text: str) -> None:
    # Unbuffered: the kernel's answer belongs to this very write.
    descriptor = os.open(file, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
