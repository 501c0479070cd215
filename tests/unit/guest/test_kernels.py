"""The kernels of tools are written with the programs they start, and go with their tool."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

from dsvm.guest import kernels
from dsvm.guest.environments import Account
from dsvm.guest.seed import Seed, SeedKernel

LOGIN = Account(name="ds", uid=os.getuid(), gid=os.getgid())
JULIA = SeedKernel(
    name="julia",
    display_name="Julia",
    language="julia",
    argv=["python", "{resource_dir}/kernel.py"],
    programs={"kernel.py": "print(6 * 7)\n"},
)


def applied(place: Path, *told: SeedKernel) -> dict[str, str]:
    """The files in the folder of kernels, once a seed with these is applied."""
    seed = cast("Seed", {"environments": [], "kernels": list(told)})
    kernels.apply(seed, {}, LOGIN, place)
    return {str(file.relative_to(place)): file.read_text() for file in place.rglob("*.*")}


def test_a_kernels_program_lies_beside_its_spec_and_goes_with_it(tmp_path: Path) -> None:
    there = applied(tmp_path / "kernels", JULIA)

    assert set(there) == {"julia/kernel.json", "julia/kernel.py"}
    assert there["julia/kernel.py"] == "print(6 * 7)\n"
    assert kernels.ours(tmp_path / "kernels")["julia"]["argv"] == JULIA["argv"]
    assert applied(tmp_path / "kernels") == {}
