"""Processes that still use an environment: they keep what they have until they start again."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """`kernel`: it is a Jupyter kernel."""

    pid: int
    uid: int
    command: str
    kernel: bool


def using(prefix: Path, *, uid: int | None = None, proc: Path = Path("/proc")) -> list[Process]:
    """Processes whose program (the first words of the command line) lies below `prefix`."""
    found = []
    for folder in proc.glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            owner = folder.stat().st_uid
        except OSError:
            continue
        if any(word.startswith(f"{prefix}/") for word in words[:2]) and uid in (None, owner):
            kernel = any("ipykernel" in word or "kernel-launcher" in word for word in words)
            found.append(Process(int(folder.name), owner, " ".join(words[:4]), kernel))
    return [process for process in found if process.pid != os.getpid()]
