"""Which CUDA the packages of a build bring along."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dsvm.lock.model import PythonPackage

RUNTIME = re.compile(r"nvidia-cuda-runtime(-cu\d+)?")
# Until CUDA 12 every package of NVIDIA's says the major version in its name.
OTHER = re.compile(r"nvidia-[a-z-]+-cu(\d+)")


def cuda_of(packages: Iterable[PythonPackage]) -> str | None:
    """As in `13.0`, or `12` where only a library of it is there; None: they bring no CUDA."""
    majors = set()
    for package in packages:
        if RUNTIME.fullmatch(package.name):
            return ".".join(package.version.split(".")[:2])
        if other := OTHER.fullmatch(package.name):
            majors.add(int(other[1]))
    return str(max(majors)) if majors else None
