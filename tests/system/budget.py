"""What a machine may take before anybody uses it, from `budget.toml`."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from dsvm.machines.machine import Machine

BUDGET = tomllib.loads(Path(__file__).with_name("budget.toml").read_text())


def beyond_budget(machine: Machine, profile: str) -> dict[str, tuple[float, float]]:
    """What the machine's first report has beyond the profile's budget: what it is, and may be."""
    first = min(machine.reports.glob("2*.json"))
    (found,) = (
        check["measurements"]
        for check in json.loads(first.read_text())["checks"]
        if check["check"] == "set up"
    )
    most = BUDGET[profile]
    return {name: (found[name], most[name]) for name in most if found[name] > most[name]}
