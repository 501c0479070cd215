"""The machine's network: `passt`, one process a machine, joined to QEMU by a pair of sockets.

Only the forwarded ports of the host's loopback lead in. Out of the machine goes what the host can
reach, except the host's own loopback. passt ends when QEMU does, however that happens. See
passt(1).
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dsvm import namespaces
from dsvm.engines.network import RESOLVER, check_ports
from dsvm.errors import DsvmError
from dsvm.programs import ProgramFailed

PROGRAM = "passt"
READY_TIMEOUT_S = 20.0


@contextmanager
def joined(ports: Mapping[int, int], log: Path, *, forward_dns: bool) -> Iterator[int]:
    """The descriptor of a network that works; QEMU inherits it, everybody else closes it.

    Raises `PortTaken`, `ProgramFailed`.
    """
    check_ports(ports)
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            _start(theirs.fileno(), ports, log, forward_dns)
        yield ours.fileno()


def _start(descriptor: int, ports: Mapping[int, int], log: Path, forward_dns: bool) -> None:
    # Not through `run`: it inherits a descriptor. It goes to the background once all ports are
    # open; run as root it becomes nobody.
    argv = _argv(descriptor, ports, forward_dns)
    with log.open("ab") as out:
        try:
            status = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                pass_fds=(descriptor,),
                start_new_session=True,
                timeout=READY_TIMEOUT_S,
                check=False,
            ).returncode
        except FileNotFoundError as missing:
            raise ProgramFailed(argv, f"could not start: {missing.strerror}") from None
        except subprocess.TimeoutExpired:
            raise DsvmError("`passt` did not open the machine's ports", log=log) from None
    if status != 0:
        check_ports(ports)
        namespaces.require()  # it locks itself in one
        raise ProgramFailed(argv, f"failed with status {status}", log=log)


def _argv(descriptor: int, ports: Mapping[int, int], forward_dns: bool) -> list[str]:
    pairs = ",".join(f"{outside}:{inside}" for inside, outside in sorted(ports.items()))
    # The gateway's address would be the host's loopback: everything that listens there.
    argv = [PROGRAM, "--quiet", "--fd", str(descriptor), "--no-map-gw"]
    if forward_dns:
        argv += ["--dns-forward", RESOLVER]
    return [*argv, "-t", f"127.0.0.1/{pairs}" if pairs else "none", "-u", "none"]
