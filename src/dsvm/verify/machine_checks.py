"""The checks of the machine as a whole: what is installed and runs, against lock and definition.

What the person added or changed is told as a change, not as a failure; what the lock demands and
is not there, or is another one, is a failure. Each function below returns what is wrong (a line
each) and what the person changed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from dsvm.errors import DsvmError
from dsvm.guest.distributions import normalised
from dsvm.lock.model import Lock, OsPackage
from dsvm.machines.machine import MACHINE, Machine
from dsvm.machines.parts import applied
from dsvm.store import Store, binary_size
from dsvm.verify.model import CheckResult
from dsvm.verify.schedule import Job
from dsvm.verify.setting import Setting
from dsvm.verify.tool_checks import kernel_fault

FILES_S = 300
SHOWN = 5
SSH_PORT = 22
FIRST_USER = 1000
LOOPBACK = ("127.", "::1", "::ffff:127.")
# Where a virtual machine asks for its address (RFC 2131, RFC 8415): told by name and port at once.
DHCP = {("systemd-network", "udp", 68), ("systemd-network", "udp", 546)}
# The guest keeps a block of its own in these (dsvm.guest.users).
GUEST_FILES = {"/etc/pam.d/sshd"}
# `??5?????? c /etc/a`, `missing     /usr/b (Permission denied)`
VERIFIED = re.compile(r"(?P<signs>\S+)\s+(?:(?P<kind>[a-z]) )?(?P<path>/.*?)(?: \([^()]*\))?$")


@dataclass
class Found:
    """Of one check: what is wrong, what the person changed, what was measured."""

    faults: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    measured: dict[str, object] = field(default_factory=dict)


def machine_jobs(setting: Setting, full: bool, changes: list[str]) -> list[Job]:
    """The jobs; what they find changed by the person is added to `changes`."""
    checks: list[tuple[str, Callable[[Setting], Found], float]] = [
        ("files of OS packages", partial(_os_files, "all" if full else "changed"), FILES_S),
        ("image", partial(_image, full), FILES_S if full else 5),
        ("layers", _layers, 60),
        ("OS packages", _os_packages, 20),
        ("environments", _environments, 20),
        ("kernels", _kernels, 5),
        ("set up", _set_up, 1),
        ("services", _services, 5),
        ("ports", _ports, 5),
    ]
    return [
        Job(f"machine: {name}", partial(_run, name, check, setting, changes), expect_s=expect_s)
        for name, check, expect_s in checks
    ]


def _run(
    name: str, check: Callable[[Setting], Found], setting: Setting, changes: list[str]
) -> CheckResult:
    begin = time.monotonic()
    try:
        found = check(setting)
    except DsvmError as failed:
        found = Found([f"{failed.what}: {failed.cause}" if failed.cause else failed.what])
    changes += found.changes
    return CheckResult(
        tool=MACHINE,
        check=name,
        outcome="failed" if found.faults else "passed",
        reason="; ".join(found.faults) or None,
        seconds=round(time.monotonic() - begin, 3),
        measurements=found.measured,
    )


def _set_up(setting: Setting) -> Found:
    """The guest's own account: it met no error, and no GPU lies idle."""
    state = setting.start["state"]
    if state is None:
        return Found(["the machine has not set itself up: `systemctl status dsvm-guest` tells why"])
    measured = {key: setting.start[key] for key in ("boot_s", "services_memory_mib")}
    measured["accelerator"] = state["accelerator"]
    found = Found(list(state["errors"]), measured=measured)
    wanted = {
        layer.environment for layer in setting.machine.record.layers if layer.kind == "environment"
    }
    mounted = {name for name, one in setting.environments.items() if one.get("variant")}
    for name in sorted(wanted - mounted - {None}, key=str):
        if not any(f"`{name}`" in error or f"{name}:" in error for error in found.faults):
            found.faults.append(f"environment `{name}` is not mounted")
    return found


def _os_packages(setting: Setting) -> Found:
    rows = setting.scratch.ask("packages")
    there = {row[0]: row[1] for row in rows if row[3] == "installed"}
    return compare_os(setting.machine.record.lock.os.packages, there)


def compare_os(locked: Iterable[OsPackage], there: Mapping[str, str]) -> Found:
    """What dpkg has (name -> version) against the lock."""
    wanted = {package.name: package.version for package in locked}
    found = Found(measured={"packages": len(there)})
    missing = sorted(wanted.keys() - there.keys())
    found.faults += _some("not installed", missing)
    other = [
        f"{name} {there[name]}, locked {wanted[name]}"
        for name in sorted(wanted.keys() & there.keys())
        if wanted[name] != there[name]
    ]
    found.faults += _some("another version than locked", other)
    added = sorted(there.keys() - wanted.keys())
    found.changes += [f"OS package {name} {there[name]} was added" for name in added]
    return found


def _os_files(which: str, setting: Setting) -> Found:
    told = setting.scratch.ask("files", which, root=True, timeout_s=FILES_S * setting.patience)
    found = judge_files(told["wrong"])
    found.measured = {"packages": told["packages"], "read": told["read"]}
    return found


def judge_files(lines: Iterable[str]) -> Found:
    """The lines of `dpkg --verify` (dpkg(1)): nine signs or `missing`, `c` for configuration."""
    damaged: list[str] = []
    found = Found()
    for line in lines:
        told = VERIFIED.match(line)
        if not told:
            damaged.append(line.strip())
        elif told["kind"] != "c":
            word = "is missing" if told["signs"] == "missing" else "is not as its package has it"
            damaged.append(f"{told['path']} {word}")
        elif told["path"] not in GUEST_FILES:
            found.changes.append(f"configuration {told['path']} was changed")
    found.faults = _some("files of OS packages", damaged)
    return found


def _environments(setting: Setting) -> Found:
    """The frozen layers hold what the lock says; above them anything may be changed."""
    found = Found()
    layers = setting.scratch.ask("environments")
    conda = {one.environment: one for one in setting.machine.record.lock.conda}
    for name, one in sorted(setting.environments.items()):
        if one.get("variant") and name in conda:
            there = setting.scratch.ask("conda", name)
            wanted = {package.name: package.version for package in conda[name].packages}
            _compare(name, wanted, there, found)
            found.changes += _overlay(setting, name)
        elif one.get("variant"):
            _compare_environment(setting.machine.record.lock, name, one["variant"], layers, found)
            found.changes += _overlay(setting, name)
    return found


def _compare_environment(
    lock: Lock, name: str, variant: str, layers: Mapping[str, Mapping[str, str]], found: Found
) -> None:
    locked = [one for one in lock.environments if (one.name, one.variant) == (name, variant)]
    if not locked:
        found.faults.append(f"environment `{name}` ({variant}) is not in the lock")
        return
    wanted = {normalised(package.name): package.version for package in locked[0].packages}
    there = {normalised(dist): version for dist, version in layers.get(name, {}).items()}
    _compare(name, wanted, there, found)


def _compare(name: str, wanted: Mapping[str, str], there: Mapping[str, str], found: Found) -> None:
    found.measured[name] = len(there)
    wrong = [f"{dist} is missing" for dist in sorted(wanted.keys() - there.keys())]
    wrong += [f"{dist} is not in the lock" for dist in sorted(there.keys() - wanted.keys())]
    wrong += [
        f"{dist} {there[dist]}, locked {wanted[dist]}"
        for dist in sorted(wanted.keys() & there.keys())
        if not _same_version(wanted[dist], there[dist])
    ]
    found.faults += _some(f"environment `{name}`", wrong)


def _same_version(locked: str, there: str) -> bool:
    """`.dist-info` folders escape a version's `-` (packaging.python.org: binary distributions)."""
    return locked.replace("-", "_") == there.replace("-", "_")


def _overlay(setting: Setting, name: str) -> list[str]:
    argv = ["dsvm-guest", "env", "diff", name]
    said = setting.machine.ssh.run(argv, timeout_s=60 * setting.patience).stdout
    lines = [line for line in said.splitlines() if line.strip()]
    changes = [f"environment `{name}`: {line}" for line in lines[:50]]
    return changes + (
        [f"environment `{name}`: {len(lines) - 50} more changes"] if lines[50:] else []
    )


def _kernels(setting: Setting) -> Found:
    """Every kernel there starts a program that exists; every kernel that must be there is."""
    there = setting.scratch.ask("kernels")
    found = Found(measured={"kernels": sorted(there)})
    there_tools = [tool for tool in setting.tools if tool.name not in setting.absent]
    wanted = {kernel.name: kernel.argv for tool in there_tools for kernel in tool.kernels}
    hidden = {
        tool.environment.name
        for tool in setting.tools
        if tool.environment and not tool.environment.kernel
    }
    own = set(applied(setting.machine.record).environments)
    hidden |= {one.environment for one in setting.machine.record.lock.conda if not one.kernel}
    for name in setting.environments.keys() - (hidden - own):
        wanted[name] = [f"/opt/dsvm/envs/{name}/bin/python"]
    for name, argv in sorted(wanted.items()):
        if fault := kernel_fault(name, argv, there.get(name)):
            found.faults.append(fault)
    for name in sorted(there.keys() - wanted.keys()):
        found.changes.append(f"kernel `{name}` was added")
    return found


def _services(setting: Setting) -> Found:
    """No unit of systemd has failed; what failed is named with the end of its log."""
    failed = setting.scratch.ask("units", root=True)["failed"]
    return Found(
        [
            f"{name} failed: {log.splitlines()[-1] if log else 'no log'}"
            for name, log in failed.items()
        ]
    )


def _ports(setting: Setting) -> Found:
    pages = setting.machine.record.pages.values()
    services = [service for tool in setting.tools for service in tool.services]
    return judge_ports(
        setting.scratch.ask("ports", root=True),
        {SSH_PORT, *(page.inside for page in pages)},
        {port for service in services for port in service.all_ports},
        set(applied(setting.machine.record).packages),
    )


def judge_ports(
    sockets: Iterable[Mapping[str, object]],
    declared: set[int],
    loopback: Collection[int] = frozenset(),
    packages: Collection[str] = frozenset(),
) -> Found:
    """Nothing of the system listens but what is declared; what a person runs is told.

    On the loopback people (and their kernels) may listen as they like, and the services of the
    tools at their ports `loopback`. A service of one of the OS `packages` that a person asked for
    is that person's. Where the machine's network gives the address, its own client waits for it.
    """
    found = Found(measured={"declared": sorted(declared)})
    for one in sockets:
        address, port = str(one["address"]), int(str(one["port"]))
        inner = address.startswith(LOOPBACK)
        person = int(str(one["uid"])) >= FIRST_USER or one.get("package") in packages
        if one["protocol"] == "tcp" and (port in declared or (inner and port in loopback)):
            continue
        asks_address = (one["program"], one["protocol"], port) in DHCP and not person
        if asks_address or (inner and person):
            continue
        line = f"{one['program']} listens on {one['protocol']} {address}:{port}"
        (found.changes if person else found.faults).append(line)
    return found


def _image(full: bool, setting: Setting) -> Found:
    return check_image(setting.machine, full)


def check_image(machine: Machine, full: bool) -> Found:
    """The image that the machine's disk stands on still has the digest it was built with.

    Hashed for `full`, else where its file has changed and once after each boot of the host.
    """
    image, store = machine.record.image, Store(machine.home.store)
    try:
        if full or not store.sound(image.digest):
            store.verify(image.digest)
    except DsvmError as damaged:
        return Found([f"image: {_told(damaged)}", _mended_by(machine)])
    return Found(measured={"size": binary_size(image.bytes)})


def _told(fault: DsvmError) -> str:
    return f"{fault.what}: {fault.cause}" if fault.cause else fault.what


def _mended_by(machine: Machine) -> str:
    return f"`dsvm stop {machine.name}`, then `dsvm up`, which builds it again"


def _layers(setting: Setting) -> Found:
    return check_layers(setting.machine)


def check_layers(machine: Machine) -> Found:
    """The layer files in the store still have the digest they were built with."""
    store = Store(machine.home.store)
    found = Found()
    bytes_read = 0
    for layer in machine.record.layers:
        try:
            store.verify(layer.digest)
            bytes_read += layer.bytes
        except DsvmError as damaged:
            found.faults.append(f"layer {layer.name}: {_told(damaged)}")
    if found.faults:
        found.faults.append(_mended_by(machine))
    found.measured = {
        "layers": len(machine.record.layers),
        "hashed": binary_size(bytes_read),
    }
    return found


def _some(what: str, lines: list[str]) -> list[str]:
    """One fault for many lines: the first few, and how many more there are."""
    if not lines:
        return []
    more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return [f"{what}: {', '.join(lines[:SHOWN])}{more}"]
