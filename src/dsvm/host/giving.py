"""Whether, and how, machines can be given this host's GPUs: each engine is asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dsvm.engines.base import Engine
from dsvm.guest.gpus import gpus
from dsvm.host.finding import Finding

NONE = "not tested: no GPU on this host"


def findings(engines: Sequence[Engine], root: Path = Path("/")) -> list[Finding]:
    """A line for each engine; one line where there is nothing to give.

    What an engine says is that nothing stands in the way: that a kernel runs on the GPU in a
    machine only a started machine finds out.
    """
    if not any(gpu.vendor == "NVIDIA" for gpu in gpus(root)):
        return [Finding("GPU for machines", None, NONE, group="host")]
    return [_finding(engine) for engine in engines]


def _finding(engine: Engine) -> Finding:
    refusal = engine.gives(())
    name = f"GPU with {engine.name}"
    if refusal is None:
        return Finding(name, True, "machines can be given it", group="host")
    return Finding(name, None, refusal.reason, remedy=refusal.remedy, group="host")
