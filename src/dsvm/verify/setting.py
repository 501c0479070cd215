"""What every check of one run needs to know of its machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dsvm.catalog.model import Tool
from dsvm.machines.machine import Machine
from dsvm.verify.scratch import Scratch

# What look.py's loop takes on the machine the time limits of the checks were written for.
REFERENCE_LOOP_S = 0.02
# Checks run beside each other, and a host does other things too.
ROOM = 2.0


@dataclass(frozen=True)
class Setting:
    """`start` is look.py's first answer; `tools` are all of the machine, proven now or not."""

    machine: Machine
    tools: Sequence[Tool]
    scratch: Scratch
    start: dict[str, Any]

    @property
    def patience(self) -> float:
        """By what every time limit is multiplied: an emulated machine is slow, not broken."""
        return max(1.0, float(self.start["loop_s"]) / REFERENCE_LOOP_S) * ROOM

    @property
    def absent(self) -> dict[str, str]:
        """Tools of which nothing was reached when the machine was locked, and why."""
        return self.machine.record.lock.unreachable

    @property
    def memory(self) -> int:
        return int(min(self.machine.record.size.memory, self.start["memory"]))

    @property
    def cpus(self) -> int:
        return int(min(self.machine.record.size.cpus, self.start["cpus"]))

    @property
    def environments(self) -> dict[str, dict[str, Any]]:
        """What the guest says of each environment; empty when it says nothing."""
        state = self.start["state"] or {}
        found: dict[str, dict[str, Any]] = state.get("environments", {})
        return found
