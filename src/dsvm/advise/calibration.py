"""Speeds that `dsvm advise --calibrate` measured, by processor and version of the framework.

DSVM_HOME/cache/advise/speeds/<digest>.json, written whole.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsvm.advise.steptime import Speeds, calibrated, reference
from dsvm.home import Home
from dsvm.whole import write_whole

CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Shelf:
    """The measured speeds of one home."""

    home: Home

    def keep(self, told: dict[str, Any]) -> Path:
        """Keep what the worker measured on this processor; where."""
        path = self._path(told["torch"], told["threads"])
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps({**told, "processor": processor()}).encode())
        return path

    def speeds(self, torch: str, threads: int) -> Speeds:
        """What was measured for this version on this processor, else the reference."""
        try:
            told = json.loads(self._path(torch, threads).read_text("utf-8"))
            return calibrated(told)
        except (OSError, ValueError, KeyError):
            return reference(threads)

    def _path(self, torch: str, threads: int) -> Path:
        told = f"{processor()}\n{threads}\n{torch}"
        name = hashlib.sha256(told.encode()).hexdigest()[:16]
        return self.home.cache / "advise" / "speeds" / f"{name}.json"


def processor() -> str:
    """The model of this computer's processor, as the kernel names it."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", CPUINFO.read_text("utf-8"), re.MULTILINE)
    except OSError:
        return "unknown"
    return found[1].strip() if found else "unknown"
