"""A Python that has what a job needs: a virtual environment that is there, else one made by uv.

DSVM_HOME/cache/advise/<digest of what it holds>/    a virtual environment
DSVM_HOME/cache/advise/<digest>.lock                 held while it is made
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uv
from filelock import FileLock

from dsvm import scratch
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.patience import patient
from dsvm.programs import run
from dsvm.progress import Progress

READY = "dsvm-ready"
_INSTALL_S = 1800.0


@dataclass(frozen=True)
class Made:
    """An environment made for what a file needs, or found at a path a person gave."""

    python: Path
    made: bool


def at_path(given: Path) -> Made:
    """The Python of a virtual environment at this path. Raises `DsvmError`."""
    for name in ("bin/python", "bin/python3"):
        if (given / name).exists():
            return Made((given / name).absolute(), made=False)
    raise DsvmError(
        f"{given} is no virtual environment",
        cause="it has no bin/python",
        remedy="give the folder of one, or leave --environment out: one is made",
    )


def made_for(home: Home, requirements: Sequence[str], progress: Progress) -> Made:
    """An environment that has these requirements; made on first use. Raises `DsvmError`."""
    place = home.cache / "advise"
    place.mkdir(parents=True, exist_ok=True)
    version = "{}.{}".format(*sys.version_info)
    told = "\n".join([version, *sorted(requirements)])
    folder = place / hashlib.sha256(told.encode()).hexdigest()[:16]
    with FileLock(f"{folder}.lock"):
        if not (folder / READY).exists():
            with progress.step(f"environment with {', '.join(requirements)}") as step:
                step.say("finding versions")
                pins, extra = _pins(home, requirements)
                step.say(f"installing {len(pins)} packages")
                _install(home, folder, pins, extra)
            (folder / READY).write_text("\n".join(pins) + "\n", "utf-8")
    return Made(folder / "bin" / "python", made=True)


def _pins(home: Home, requirements: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Exact versions, torch's from the first source of the tool `pytorch` that has it."""
    from dsvm.catalog.environments import EnvironmentPlan
    from dsvm.catalog.load import load_catalog
    from dsvm.lock.hints import Hints
    from dsvm.lock.python import Resolver
    from dsvm.lock.pythonhost import python_host
    from dsvm.lock.trees import architecture
    from dsvm.lock.wheels import Target

    host = python_host({})
    environment = load_catalog().tool("pytorch").environment
    assert environment is not None
    here = (sys.version_info.major, sys.version_info.minor)
    mine = "{}.{}".format(*here)
    sources = tuple(one for one in environment.sources if one.python in (None, mine))
    plan = EnvironmentPlan(
        name="advise",
        python=None,
        requirements={"cpu": tuple(requirements)},
        sources=sources,
        tools=(),
        kernel=False,
        own=True,
    )
    target = Target(here, _glibc(), architecture())
    resolver = Resolver(host, home, Hints(home))
    locked = resolver.environment(plan, "cpu", lambda _: (target, None))
    taken = next((one for one in sources if one.name == locked.source), None)
    extra = {"UV_INDEX": taken.index} if taken and taken.index else {}
    return [f"{one.name}=={one.version}" for one in locked.packages], extra


def _glibc() -> tuple[int, int]:
    import os

    _name, _, version = os.confstr("CS_GNU_LIBC_VERSION").partition(" ")  # type: ignore[union-attr]
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def _install(home: Home, folder: Path, pins: Sequence[str], extra: dict[str, str]) -> None:
    from dsvm.lock.pythonhost import python_host

    scratch.remove(folder)
    log = home.logs / "advise-environment.log"
    program = uv.find_uv_bin()
    with scratch.folder("advise") as empty:
        run(
            [program, "venv", "--quiet", "--python", sys.executable, folder],
            cwd=empty,
            log=log,
        )
        listed = empty / "pins.txt"
        listed.write_text("\n".join(pins) + "\n", "utf-8")
        run(
            [
                *(program, "pip", "install", "--quiet", "--no-deps", "--system-certs"),
                *("--python", folder / "bin" / "python", "--requirements", listed),
                *("--cache-dir", home.cache / "uv", "--only-binary", ":all:", "--compile-bytecode"),
            ],
            cwd=empty,
            env={**python_host({}).uv_env(find_links=True), **extra},
            log=log,
            timeout_s=patient(_INSTALL_S),
        )
