"""What dsvm does inside a machine over SSH: ask its guest, let it apply, copy, install."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dsvm.definition.model import Definition
from dsvm.errors import DsvmError
from dsvm.lock.model import Lock, OsPackage
from dsvm.machines.machine import LOGIN, Machine
from dsvm.machines.parts import inside, on_host, patience
from dsvm.machines.ssh import RemoteFailed
from dsvm.machines.transfer import put, put_files
from dsvm.progress import Progress
from dsvm.store import Store

STATE = "/run/dsvm/state.json"
APPLY_S = 300
INSTALL_S = 1800
DEBS = "/var/tmp/dsvm-debs"
# Only the files given may be installed: with no lists, apt knows of nothing else to fetch.
APT = (
    *("sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y"),
    *("-o", "Dir::Etc::sourcelist=/dev/null", "-o", "Dir::Etc::sourceparts=/dev/null"),
    *("-o", "Dir::State::lists=/var/tmp/dsvm-debs/lists", "-o", "Dpkg::Use-Pty=0"),
    *("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"),
    *("-o", "DPkg::Lock::Timeout=300"),
)


def guest_state(machine: Machine) -> dict[str, Any]:
    """What the guest made of its seed. Raises `DsvmError` with the errors it met."""
    try:
        found = machine.ssh.run(["cat", STATE], timeout_s=30 * patience(machine))
        state: dict[str, Any] = json.loads(found.stdout)
    except (RemoteFailed, ValueError) as missing:
        raise DsvmError(
            f"machine `{machine.name}` has not set itself up",
            cause=getattr(missing, "cause", None) or str(missing),
            remedy=f"`dsvm run {machine.name} -- systemctl status dsvm-guest` shows why",
            log=machine.logs / "console.log",
        ) from None
    if state.get("errors"):
        raise DsvmError(
            f"machine `{machine.name}` is not what its definition says",
            cause="\n".join(map(str, state["errors"])),
            remedy=f"`dsvm logs {machine.name}` shows its console",
            log=machine.logs / "console.log",
        )
    return state


def apply_seed(machine: Machine) -> dict[str, Any]:
    """Let the guest apply the seed that the host has just written; return its state."""
    limit = APPLY_S * patience(machine)
    machine.ssh.run(["sudo", "-n", "dsvm-guest", "apply"], timeout_s=limit, check=False)
    machine.ssh.anew()  # the login's variables may be others now
    return guest_state(machine)


def copy_files(machine: Machine, definition: Definition, folder: Path, progress: Progress) -> None:
    """`[files]`: into the login's home as the login, anywhere else as root."""
    for target, text in definition.files.items():
        source = on_host(text, folder)
        if not source.exists():
            raise DsvmError(
                f"[files] `{target}`: there is no `{source}`",
                remedy="mend the path in dsvm.toml; relative ones begin at its folder",
            )
        with progress.step(f"copying {source.name}"):
            place = inside(target)
            put(
                machine.ssh,
                source,
                place,
                exact=True,
                sudo=not place.startswith(f"/home/{LOGIN}"),
            )


def change_packages(
    machine: Machine, lock: Lock, install: Sequence[OsPackage], remove: Sequence[str]
) -> tuple[str, ...]:
    """Install the locked packages from the store's files, then take away what is not wanted.

    A package that something of the user's own still needs stays; those are told in the lines
    returned. Raises `RemoteFailed`.
    """
    ssh = machine.ssh
    if install:
        store = Store(machine.home.store)
        ssh.run(["rm", "-rf", DEBS])
        names = [(store.get(one.sha256), _file_name(one)) for one in install]
        put_files(ssh, names, DEBS)
        debs = [f"{DEBS}/{name}" for _, name in names]
        options = ["--allow-downgrades", "--no-install-recommends"]
        limit = INSTALL_S * patience(machine)
        ssh.run([*APT, "install", *options, *debs], timeout_s=limit)
        ssh.run(["rm", "-rf", DEBS])
        new = {one.name for one in install}
        _mark(machine, "auto", new - set(lock.os.roots))
        _mark(machine, "manual", new & set(lock.os.roots))
    return _remove(machine, remove) if remove else ()


def _mark(machine: Machine, how: str, names: set[str]) -> None:
    if names:
        machine.ssh.run(
            ["sudo", "-n", "apt-mark", how, *sorted(names)], timeout_s=60 * patience(machine)
        )


def _remove(machine: Machine, names: Sequence[str]) -> tuple[str, ...]:
    """apt's simulation names all that would go; what would take along a stranger is kept."""
    ssh, limit = machine.ssh, patience(machine)
    listed = ssh.run(["dpkg-query", "-W", "-f", "${Package}\\n"]).stdout.split()
    going = [name for name in names if name in set(listed)]
    kept: list[str] = []
    while going:
        told = ssh.run([*APT, "-s", "remove", *going], timeout_s=120 * limit).stdout
        gone = [line.split()[1] for line in told.splitlines() if line.startswith("Remv ")]
        strangers = set(gone) - set(going)
        if not strangers:
            ssh.run([*APT, "remove", *going], timeout_s=INSTALL_S * limit)
            break
        needed = next(name for name in going if _takes(machine, name, strangers))
        going.remove(needed)
        kept.append(needed)
    _mark(machine, "auto", set(kept))
    return tuple(f"package {name} stays: something you installed needs it" for name in kept)


def _takes(machine: Machine, name: str, strangers: set[str]) -> bool:
    limit = 120 * patience(machine)
    told = machine.ssh.run([*APT, "-s", "remove", name], timeout_s=limit).stdout
    return any(line.split()[1] in strangers for line in told.splitlines() if line[:5] == "Remv ")


def _file_name(package: OsPackage) -> str:
    version = package.version.replace(":", "%3a")
    return f"{package.name}_{version}_{package.architecture}.deb"
