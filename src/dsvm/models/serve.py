"""Serve a model of a running machine at a port of this computer's loopback, while it is wanted.

Inside it is a socket in a folder that only the login may enter; SSH carries the port to it.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO

from dsvm.errors import DsvmError
from dsvm.machines.machine import Machine
from dsvm.models.ask import PLACE, SETUP_S, present
from dsvm.models.tool import SHIPPED
from dsvm.patience import patience

SERVER = "model-server"
PYTHON = "/opt/dsvm/envs/serving/bin/python"
READY_S = 120.0
POLL_S = 0.2
END_S = 15.0


@dataclass(frozen=True)
class Serving:
    """A model that is served: `url` is that of the protocol, `.../v2/models/NAME`."""

    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def serving(machine: Machine, name: str, port: int | None = None) -> Iterator[Serving]:
    """Serve the model until the block ends; nothing of it stays in the machine.

    Raises `DsvmError` when the machine lacks the model or the server, when the port is taken, and
    with the server's own words when it does not become ready.
    """
    present(machine, name)
    if SERVER not in machine.record.tools:
        raise DsvmError(
            f"machine `{machine.name}` has nothing that serves models",
            remedy=f"`dsvm add {SERVER}` brings KServe",
        )
    port = _port(port)
    ssh = machine.ssh
    made = ssh.run(["mktemp", "-d", f"{PLACE}.XXXXXXXX"], timeout_s=SETUP_S).stdout.strip()
    command = [PYTHON, f"{SHIPPED}/serve.py", name, f"{made}/door"]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            ssh.carrying(port, f"{made}/door", command),
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
        )
        try:
            url = f"http://127.0.0.1:{port}/v2/models/{name}"
            _wait(process, f"{url}/ready", name, said)
            yield Serving(url, process)
        finally:
            _end(process)
            with suppress(DsvmError):
                ssh.run(["rm", "-rf", made], timeout_s=SETUP_S, check=False)


def _port(wanted: int | None) -> int:
    """The wanted port of the loopback, or any that is free."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", wanted or 0))
        except OSError as taken:
            raise DsvmError(
                f"port {wanted} of this computer cannot be used",
                cause=taken.strerror,
                remedy="name another one with --port, or none",
            ) from None
        port: int = probe.getsockname()[1]
        return port


def _wait(process: subprocess.Popen[bytes], ready: str, name: str, said: IO[bytes]) -> None:
    import httpx  # only for who waits: it takes longer to load than all else here

    late = time.monotonic() + READY_S * patience()
    # Never through a proxy: it is on this host.
    with httpx.Client(trust_env=False, timeout=5) as client:
        while process.poll() is None and time.monotonic() < late:
            with suppress(httpx.HTTPError):
                if client.get(ready).status_code == httpx.codes.OK:
                    return
            time.sleep(POLL_S)
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines()
    raise DsvmError(f"the model `{name}` is not served", cause="\n".join(lines[-12:]) or None)


def _end(process: subprocess.Popen[bytes]) -> None:
    """The server ends with its input; one that does not loses its connection."""
    assert process.stdin
    with suppress(OSError):
        process.stdin.close()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
