"""Kernel, module and libraries of NVIDIA's driver stay together: what apt asks before it acts.

Only a machine with the driver has this hook; the driver's package brings it, with SET. apt(8) tells
on stdin what it is about to do (apt.conf(5), `DPkg::Pre-Install-Pkgs`, version 3): after an empty
line, each package as `name old arch multi-arch < new arch multi-arch action`, `-` for none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGE = "dsvm-nvidia-driver"
SET = Path("/usr/lib/dsvm/driver.json")
KERNELS = "linux-image-"
KERNEL = re.compile(KERNELS + r"\d")
REMEDY = (
    "on the host, `dsvm lock --upgrade` moves them together; "
    f"`sudo apt remove {PACKAGE}` lets go of the driver"
)


@dataclass(frozen=True)
class DriverSet:
    """`packages`: the versions that belong together; `cuda`: the newest that the driver knows."""

    kernel: str
    version: str
    cuda: int
    packages: Mapping[str, str]

    def refusal(self, plan: Mapping[str, str | None]) -> str | None:
        """Why `plan` (package -> its version afterwards) would part them; None: it does not."""
        if PACKAGE in plan and plan[PACKAGE] is None:
            return None  # with the module the set is gone
        core = (PACKAGE, KERNELS + self.kernel)
        for name, version in sorted(plan.items()):
            known = self.packages.get(name)
            if known is None and version and KERNEL.match(name):
                kernel = name.removeprefix(KERNELS)
                return f"the kernel {kernel} has no module of NVIDIA's driver {self.version}"
            if known and version and version != known:
                return f"{name} {version} does not go with {self._told()}, which has {known}"
            if known and version is None and name in core:
                return f"without {name} there is no {self._told()}"
        return None

    def _told(self) -> str:
        return f"NVIDIA's driver {self.version} for the kernel {self.kernel}"


def driver_set(root: Path = Path("/")) -> DriverSet | None:
    """The set of this machine; None: it has no driver of its own."""
    try:
        told: dict[str, Any] = json.loads((root / SET.relative_to("/")).read_text())
    except FileNotFoundError:
        return None
    return DriverSet(told["kernel"], told["version"], told["cuda"], told["packages"])


def guard(lines: Iterable[str], found: DriverSet | None) -> str | None:
    """The sentences with which apt's plan is refused; None: it may go on."""
    why = found.refusal(plan(lines)) if found else None
    return f"refused, nothing has changed: {why}; {REMEDY}" if why else None


def plan(lines: Iterable[str]) -> dict[str, str | None]:
    """The version that each package of apt's plan will have; None: it goes."""
    after: dict[str, str | None] = {}
    for line in lines:
        words = line.split()
        if len(words) == 9 and words[4] in ("<", ">", "="):
            after[words[0]] = None if words[5] == "-" else words[5]
    return after
