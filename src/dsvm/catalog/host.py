"""What this host has that decides which builds of an environment are wanted."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

from dsvm.definition.model import Accelerator, Variant
from dsvm.programs import ProgramFailed, run


def host_variants(wanted: Accelerator) -> list[Variant]:
    """`cpu` always; `nvidia` if the definition wants it or this host has it and may use it."""
    if wanted == "nvidia" or (wanted == "auto" and has_nvidia()):
        return ["cpu", "nvidia"]
    return ["cpu"]


@cache
def has_nvidia() -> bool:
    """Whether an NVIDIA GPU and its working driver are there, now."""
    if Path("/proc/driver/nvidia/version").exists():
        return True
    if shutil.which("nvidia-smi") is None:
        return False
    try:
        return "GPU" in run(["nvidia-smi", "-L"], timeout_s=10).stdout
    except ProgramFailed:
        return False
