"""What a machine is made of, as its own guest finds it."""

from __future__ import annotations

import json
from typing import Any

from dsvm.machines.machine import Machine

LIMIT_S = 120


def inside(machine: Machine) -> dict[str, Any]:
    """As `dsvm.guest.hardware.Hardware.json`."""
    done = machine.ssh.run(["dsvm-guest", "hardware", "--json"], timeout_s=LIMIT_S)
    told: dict[str, Any] = json.loads(done.stdout)
    return told
