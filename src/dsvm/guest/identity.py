"""Who the machine is: its name and its SSH host key."""

from __future__ import annotations

import socket
from pathlib import Path

from dsvm.guest import alone
from dsvm.guest.seed import Seed
from dsvm.guest.system import run, write

HOST_KEY = Path("/etc/ssh/ssh_host_ed25519_key")


def apply(seed: Seed) -> None:
    """Set name and host key; a running SSH server takes the key over."""
    if seed.get("alone"):
        alone.identify(seed, HOST_KEY)
        return
    _name(seed["name"])
    changed = write(HOST_KEY, seed["host_key"].rstrip() + "\n", mode=0o600)
    public = HOST_KEY.with_name(HOST_KEY.name + ".pub")
    write(public, seed["host_key_public"].rstrip() + "\n")
    if changed:
        run("systemctl", "--no-block", "try-reload-or-restart", "ssh.service", check=False)


def _name(name: str) -> None:
    write(Path("/etc/hostname"), name + "\n")
    if socket.gethostname() != name:
        socket.sethostname(name)
    hosts = Path("/etc/hosts")
    lines = hosts.read_text().splitlines() if hosts.exists() else ["127.0.0.1 localhost"]
    kept = [line for line in lines if not line.startswith("127.0.1.1")]
    write(hosts, "\n".join([*kept, f"127.0.1.1 {name}"]) + "\n")
