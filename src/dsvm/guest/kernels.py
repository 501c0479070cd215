"""Jupyter kernels of the machine (jupyter-client.readthedocs.io: kernel specs).

Every kernel dsvm writes carries `metadata.dsvm.kind`: `environment`, `tool` or `own` (a user's,
see dsvm.guest.watch). Only those are ever changed or removed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dsvm.guest.environments import Account
from dsvm.guest.places import KERNELS
from dsvm.guest.seed import Seed, SeedEnvironment, SeedKernel
from dsvm.guest.system import folder, write

Spec = Mapping[str, Any]


def apply(seed: Seed, pythons: Mapping[str, str], login: Account, place: Path = KERNELS) -> None:
    """Write the kernels of the seed's environments and tools; remove those it has no longer.

    `pythons` has the Python version of each mounted environment; the others are no kernels.
    The folder is the login's: kernels of its own environments appear in it too.
    """
    folder(place, uid=login.uid, gid=login.gid)
    wanted = {
        one["name"]: _of_environment(one, pythons[one["name"]])
        for one in seed["environments"]
        if one["kernel"] and one["name"] in pythons
    }
    wanted |= {one["name"]: _of_tool(one) for one in seed["kernels"]}
    for name, spec in wanted.items():
        save(place, name, spec)
    for one in seed["kernels"]:
        for program, text in one.get("programs", {}).items():
            write(place / one["name"] / program, text)
    for name, spec in ours(place).items():
        if spec["metadata"]["dsvm"]["kind"] in ("environment", "tool") and name not in wanted:
            shutil.rmtree(place / name)


def ours(place: Path) -> dict[str, Spec]:
    """The kernels there that dsvm wrote."""
    found = {}
    for file in place.glob("*/kernel.json"):
        try:
            spec = json.loads(file.read_text())
            if spec["metadata"]["dsvm"]["kind"]:
                found[file.parent.name] = spec
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def save(place: Path, name: str, spec: Spec, *, uid: int = 0, gid: int = 0) -> None:
    """Write one kernel spec; readable by all."""
    folder(place / name, uid=uid, gid=gid)
    write(place / name / "kernel.json", json.dumps(spec, indent=1) + "\n", uid=uid, gid=gid)


def python_spec(argv: list[str], display_name: str, prefix: str, about: dict[str, str]) -> Spec:
    """A Python kernel whose shell commands (`!pip`) mean its own environment."""
    return {
        "argv": [*argv, "-f", "{connection_file}"],
        "display_name": display_name,
        "language": "python",
        "env": {"PATH": f"{prefix}/bin:${{PATH}}", "VIRTUAL_ENV": prefix},
        "metadata": {"debugger": True, "dsvm": about},
    }


def _of_environment(one: SeedEnvironment, python: str) -> Spec:
    prefix = one["mountpoint"]
    argv = [f"{prefix}/bin/python", "-m", "ipykernel_launcher"]
    about = {"kind": "environment", "environment": one["name"]}
    return python_spec(argv, one["display_name"].replace("{python}", python), prefix, about)


def _of_tool(one: SeedKernel) -> Spec:
    return {
        "argv": one["argv"],
        "display_name": one["display_name"],
        "language": one["language"],
        "metadata": {"dsvm": {"kind": "tool"}},
    }
