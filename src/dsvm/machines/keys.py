"""The keys of a machine: its own host key, the owner's key, and the pin between the two."""

from __future__ import annotations

import shutil
from pathlib import Path

from dsvm.machines.ssh import Ssh
from dsvm.programs import run
from dsvm.whole import write_whole

OWNER = "id_ed25519"
HOST = "host_ed25519"


def make_keys(folder: Path, machine: str) -> None:
    """Make what is missing of a machine's keys below `folder` (mode 0700).

    `id_ed25519` is the owner's, `host_ed25519` the machine's; `known_hosts` pins the latter.
    Keys that are there stay. Raises `ProgramFailed`.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, comment in ((OWNER, f"dsvm {machine}"), (HOST, f"dsvm {machine} host")):
        if not (folder / name).exists():
            _make_key(folder / name, comment)
    kind, key = public(folder, HOST).split()[:2]
    pin = f"{Ssh.alias(machine)} {kind} {key}\n"
    write_whole(folder / "known_hosts", pin.encode(), mode=0o600, synced=True)


def public(folder: Path, name: str) -> str:
    """The public half as one line, without its end."""
    return (folder / f"{name}.pub").read_text().strip()


def _make_key(path: Path, comment: str) -> None:
    """The private half comes last, by rename: once it is there, both are whole."""
    scratch = path.with_name(f".{path.name}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", scratch / "key"])
    (scratch / "key.pub").replace(path.with_name(path.name + ".pub"))
    (scratch / "key").replace(path)
    scratch.rmdir()
