"""What the builds for a GPU and for the CPU take together, by what those for the GPU take alone.

Usage: python -m benchmarks.variants      (not part of `run_all`: 10 GiB of downloads, 40 GB free)

Builds the profile `deep-learning` with both variants and counts the layers; nothing is started.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.support import Figure, save, told
from dsvm.home import Home

DEFINITION = """\
name = "variants"
profile = "deep-learning"
[accelerator]
variants = ["cpu", "nvidia"]
"""
TEXT = """\
The profile `deep-learning` with both builds of each framework. A layer that both have is stored
once. What lies in both builds of one framework in other layers is not shared: a wheel of the
framework itself is another file for the CPU.
"""
GPU, CPU = "-nvidia", "-cpu"


def main() -> None:
    home = Home.default()
    with tempfile.TemporaryDirectory(prefix="dsvm-benchmark-") as scratch:
        place = Path(scratch)
        (place / "dsvm.toml").write_text(DEFINITION)
        layers = told(home.root, "build", cwd=place)["layers"]
    two = {one["name"].removesuffix(GPU) for one in layers if one["name"].endswith(GPU)}
    either = [one for one in layers if one["name"].removesuffix(GPU).removesuffix(CPU) in two]
    figures = []
    for what, some in (("environments with two builds", either), ("the whole machine", layers)):
        alone = [one for one in some if one["name"].removesuffix(CPU) not in two]
        ratio = _stored(some) / _stored(alone)
        figures.append(Figure(f"{what}: both by nvidia alone", ratio, "x", 1.15))
    save("variants", "Builds for the CPU and for a GPU", TEXT, figures, layers=layers)


def _stored(layers: Iterable[dict[str, Any]]) -> int:
    """Bytes, each layer once."""
    return sum({one["digest"]: one["bytes"] for one in layers}.values())


if __name__ == "__main__":
    main()
