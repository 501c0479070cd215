"""Where dsvm keeps everything: one folder, moved by `DSVM_HOME`.

store/        content-addressed files, layers, images (dsvm.store)
machines/     one folder a machine (dsvm.machines)
cache/        what can be fetched or measured again: indexes, probes, uv's and npm's caches
sizes/        prices newer than those that came with dsvm (dsvm.sizes)
advice/       what was advised, and what runs took (dsvm.advise.history)
logs/         the log of every external program
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs


@dataclass(frozen=True)
class Home:
    """The folders below one `DSVM_HOME`."""

    root: Path

    @classmethod
    def default(cls) -> Home:
        """`$DSVM_HOME`, else the platform's place for a user's data."""
        named = os.environ.get("DSVM_HOME")
        return cls(Path(named).absolute() if named else platformdirs.user_data_path("dsvm"))

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def machines(self) -> Path:
        return self.root / "machines"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def sizes(self) -> Path:
        return self.root / "sizes"

    @property
    def advice(self) -> Path:
        return self.root / "advice"

    @property
    def logs(self) -> Path:
        return self.root / "logs"
