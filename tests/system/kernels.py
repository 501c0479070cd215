"""Speaks with the kernels of a machine, as a notebook does: started by name, asked over ZeroMQ."""

from __future__ import annotations

import time
from collections.abc import Callable

from dsvm.machines.machine import Machine

KERNEL_S = 120
APPEAR_S = 30.0

_ASK = """
import sys
from jupyter_client.manager import run_kernel
with run_kernel(kernel_name=sys.argv[1]) as client:
    said = []
    def hear(message):
        content = message["content"]
        if message["msg_type"] == "stream" and content["name"] == "stdout":
            said.append(content["text"])
    done = client.execute_interactive(sys.argv[2], output_hook=hear, timeout=60)
    assert done["content"]["status"] == "ok", done["content"]
print("".join(said), end="")
"""


def answer(machine: Machine, kernel: str, code: str, *, asker: str = "") -> str:
    """What code prints on the kernel of that name, without the last line's end.

    `asker` is the environment from which it is asked; by default the kernel's own.
    """
    python = f"/opt/dsvm/envs/{asker or kernel}/bin/python"
    argv = [python, "-c", _ASK, kernel, code]
    return machine.ssh.run(argv, timeout_s=KERNEL_S).stdout.rstrip("\n")


def await_kernels(machine: Machine, wanted: Callable[[set[str]], bool]) -> set[str]:
    """The names of the kernels once they are as wanted; whoever makes an environment waits."""
    deadline = time.monotonic() + APPEAR_S
    while not wanted(found := kernels(machine)):
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return found


def kernels(machine: Machine) -> set[str]:
    """The names of the kernels that are registered for everybody."""
    return set(machine.ssh.run(["ls", "/usr/local/share/jupyter/kernels"]).stdout.split())
