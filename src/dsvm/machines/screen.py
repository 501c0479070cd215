"""The display of a machine that has one."""

from __future__ import annotations

import subprocess
from pathlib import Path

from dsvm.errors import DsvmError
from dsvm.machines.listing import running
from dsvm.machines.machine import Machine
from dsvm.machines.parts import engine_machine, engine_of
from dsvm.programs import which

VIEWER = "vncviewer"
"""TigerVNC's: it takes a Unix socket for an address."""


def screen(machine: Machine) -> Path:
    """The socket on which the display answers by VNC, for the machine's owner only.

    Raises `DsvmError` when the machine does not run, or its engine shows no display.
    """
    if running(machine) is None:
        raise DsvmError(
            f"machine `{machine.name}` does not run", remedy=f"dsvm start {machine.name}"
        )
    found = engine_of(machine).screen(engine_machine(machine))
    if found is None:
        raise DsvmError(
            f"machine `{machine.name}` has no display",
            cause=f"engine `{machine.record.engine}` runs it as a container",
            remedy=f"`dsvm logs {machine.name}` shows what it says; with a display: "
            f"dsvm stop {machine.name}, dsvm start {machine.name} --engine qemu",
        )
    return found


def view(socket: Path) -> bool:
    """Open a viewer on it that outlives us; whether there is one."""
    viewer = which(VIEWER)
    if viewer is None:
        return False
    subprocess.Popen(
        [viewer, socket],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return True
