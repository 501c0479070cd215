"""`dsvm env`: asked of the machine's own guest, which knows."""

from __future__ import annotations

import json
from typing import Any

from dsvm.machines.machine import Machine

CREATE_S = 600
RESET_S = 120


def ls(machine: Machine) -> Any:
    """The environments and their kernels, as `dsvm-guest env ls --json` tells."""
    return _asked(machine, "ls")


def diff(machine: Machine, name: str) -> Any:
    """What the user changed in one."""
    return _asked(machine, "diff", name)


def reset(machine: Machine, name: str) -> Any:
    """Back to the proven state, at once."""
    return _asked(machine, "reset", name, timeout_s=RESET_S)


def create(machine: Machine, name: str, python: str | None = None) -> Any:
    """A new one in the login's home, which becomes a kernel."""
    extra = ("--python", python) if python else ()
    return _asked(machine, "create", name, *extra, timeout_s=CREATE_S)


def _asked(machine: Machine, command: str, *words: str, timeout_s: float = 60) -> Any:
    argv = ["dsvm-guest", "env", command, "--json", *words]
    done = machine.ssh.run(argv, timeout_s=timeout_s)
    return json.loads(done.stdout) if done.stdout.strip() else None
