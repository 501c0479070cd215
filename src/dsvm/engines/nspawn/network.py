"""The machine's network: a namespace of its own that `pasta` joins to the host's.

Only the forwarded ports of the host's loopback lead in. Out of the machine goes what the host can
reach, except the host's own loopback. See pasta(1).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from dsvm.engines.network import RESOLVER, check_ports
from dsvm.errors import DsvmError
from dsvm.programs import ProgramFailed, run

PASTA = "pasta"


def join(netns: Path, ports: Mapping[int, int], log: Path, *, forward_dns: bool) -> int:
    """Connect the namespace; return pasta's process id once all ports are open.

    `forward_dns` gives the namespace the host's own resolver at `RESOLVER`; pasta then hides the
    resolver's real address, so it is for a `resolv_conf` that names `RESOLVER`.
    For the supervisor only: pasta goes to the background and becomes a child of process 1.
    Raises `PortTaken`, `ProgramFailed`.
    """
    before = children()
    try:
        run(_argv(netns, ports, forward_dns=forward_dns), log=log)
    except ProgramFailed:
        check_ports(ports)
        raise
    started = children() - before
    if len(started) != 1:
        raise DsvmError("`pasta` ended at once", log=log)
    return started.pop()


def _argv(netns: Path, ports: Mapping[int, int], *, forward_dns: bool) -> list[str]:
    pairs = ",".join(f"{outside}:{inside}" for inside, outside in sorted(ports.items()))
    argv = [PASTA, "--config-net", "--netns", str(netns), "--quiet"]
    # Run as root, pasta becomes nobody, who may not enter the namespace; Debian 12's has no better
    # way than to stay. It confines itself otherwise (own root, no capabilities it does not need).
    argv += ["--runas", "0"]
    # The gateway's address would be the host's loopback: everything that listens there.
    argv += ["--no-map-gw"]
    if forward_dns:
        argv += ["--dns-forward", RESOLVER]
    argv += ["-t", f"127.0.0.1/{pairs}" if pairs else "none"]
    return [*argv, "-u", "none", "-T", "none", "-U", "none"]


def children() -> set[int]:
    """Process ids of this process's children, by reading /proc of this pid namespace."""
    found = set()
    me = str(Path("/proc/self").readlink())
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # pid (name) state ppid: the name may hold anything, also brackets and blanks.
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
            if fields[0] != "Z" and fields[1] == me:
                found.add(int(stat.parent.name))
    return found
