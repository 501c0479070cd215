"""An environment's layer: what uv installs at /opt/dsvm/envs/<name>, frozen as EROFS.

It is installed at its final path in a sandbox that holds Python's own packages, the locked wheels
and uv, without a network. The layer's root is the content of that folder. It belongs to the
machine's login, so that `pip install` works in the writable overlay above it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import uv

from dsvm import timing
from dsvm.build import bytecode, erofs, interpreter, keys, package_set, source_only, work
from dsvm.build.package_set import PackageSet
from dsvm.build.sandbox import Sandbox
from dsvm.build.tools_tree import ToolsTree
from dsvm.home import Home
from dsvm.lock.model import LockedEnvironment
from dsvm.progress import Step
from dsvm.store import Store

SOURCES = (*bytecode.SOURCES, *source_only.SOURCES, "environment.py", "erofs.py", "sandbox.py")
ENVIRONMENTS = "/opt/dsvm/envs"
LOGIN_UID = 1000
_UV_NOTE = "uv_cache.json"
_UV_CACHE = ".uv-cache"
# Of the size of the wheels: unpacked 4 times, compiled 1, frozen 2.
_UNPACKED = 7
_SMALLEST = 64 * 1024**2


@dataclass(frozen=True)
class Pythons:
    """The Pythons that environments are made for: the machine's own, others by version."""

    own: PackageSet
    others: Mapping[str, PackageSet]

    def of(self, environment: LockedEnvironment) -> PackageSet | None:
        return self.others[environment.interpreter] if environment.interpreter else None


def environment_key(environment: LockedEnvironment, pythons: Pythons, tools_key: str) -> str:
    other = pythons.of(environment)
    return keys.key(
        "environment",
        name=environment.name,
        python=environment.python,
        own=pythons.own.key,
        other=other.key if other else None,
        wheels=sorted([wheel.file, wheel.sha256] for wheel in environment.packages),
        source_only=[one.model_dump() for one in environment.source_only],
        tools=tools_key,
        uv=version("uv"),
        source=keys.source_digest(*SOURCES, *interpreter.SOURCES, *package_set.SOURCES),
    )


def build_environment(
    environment: LockedEnvironment,
    pythons: Pythons,
    tools: ToolsTree,
    store: Store,
    home: Home,
    log: Path,
    step: Step,
) -> str:
    """Make the layer, put it in the store, return its digest. `step` is told percents.

    Raises `ProgramFailed` when a wheel cannot be installed, `DsvmError` without room.
    """
    needed = _SMALLEST + _UNPACKED * sum(wheel.size for wheel in environment.packages)
    with work.folder(needed, home.cache / "work") as scratch:
        tree = scratch / "tree"
        work.new_folder(tree)
        wheels = source_only.wheels(environment, store, scratch / "made")
        sandbox = _sandbox(wheels, pythons, tools, store, home, scratch, log)
        with timing.step("install"):
            _install(wheels.environment, sandbox, scratch, log)
        step.advance(30)
        with timing.step("byte code"):
            compiler = _compiler(environment, pythons, tree, sandbox, store, log)
            compiler.compile(wheels.environment, lambda: step.advance(12))
        key = environment_key(environment, pythons, tools.key)
        digest = erofs.freeze(tree, key, tools, store, owner=LOGIN_UID, log=log)
        step.advance(22)
        return digest


def _sandbox(
    wheels: source_only.Wheels,
    pythons: Pythons,
    tools: ToolsTree,
    store: Store,
    home: Home,
    scratch: Path,
    log: Path,
) -> Sandbox:
    environment = wheels.environment
    read = {"/build/uv": Path(uv.find_uv_bin())}
    for wheel in environment.packages:
        read[f"/build/wheels/{wheel.file}"] = wheels.made.get(wheel.file) or store.get(wheel.sha256)
    if other := pythons.of(environment):
        mountpoint = f"{interpreter.PYTHONS}/{environment.interpreter}"
        read[mountpoint] = scratch / "interpreter"
        version = environment.python
        interpreter.lay_out(other.debs(store), version, scratch / "interpreter", tools, log)
    return Sandbox(
        pythons.own.unpacked(store, home, log),
        read=read,
        write={
            f"{ENVIRONMENTS}/{environment.name}": scratch / "tree",
            "/build/scratch": scratch,
        },
        environment={
            "HOME": "/tmp",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            "SOURCE_DATE_EPOCH": str(erofs.TIMESTAMP),
            "UV_NO_CONFIG": "1",
            "UV_OFFLINE": "1",
            "UV_PYTHON_DOWNLOADS": "never",
        },
    )


def _install(environment: LockedEnvironment, sandbox: Sandbox, scratch: Path, log: Path) -> None:
    target = f"{ENVIRONMENTS}/{environment.name}"
    pins = (
        f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n"
        for wheel in environment.packages
    )
    (scratch / "requirements.txt").write_text("".join(sorted(pins)))
    venv = ["/build/uv", "venv", "--no-cache", "--python", _python(environment), target]
    sandbox.run(venv, log=log)
    if environment.packages:
        options = ["--no-index", "--find-links", "/build/wheels", "--require-hashes", "--no-deps"]
        # What uv unpacks lies within what is bound at `target`: it is linked there, not copied.
        options += ["--link-mode", "hardlink", "--cache-dir", f"{target}/{_UV_CACHE}"]
        pip = ["/build/uv", "pip", "install", "--python", f"{target}/bin/python", *options]
        sandbox.run([*pip, "--requirement", "/build/scratch/requirements.txt"], log=log)
        work.remove(scratch / "tree" / _UV_CACHE)
    # The machine registers its environments as kernels itself; ipykernel's own `python3` would
    # stand beside them, another name for the same, or for one that is no kernel.
    shutil.rmtree(scratch / "tree" / "share/jupyter/kernels", ignore_errors=True)
    _normalise(scratch / "tree")


def _compiler(
    environment: LockedEnvironment,
    pythons: Pythons,
    tree: Path,
    sandbox: Sandbox,
    store: Store,
    log: Path,
) -> bytecode.Compiler:
    other = pythons.of(environment)
    which = keys.key(
        "python",
        version=environment.python,
        own=pythons.own.key,
        other=other.key if other else None,
    )
    seen_as = f"{ENVIRONMENTS}/{environment.name}"
    return bytecode.Compiler(tree, seen_as, _python(environment), which, sandbox, store, log)


def _python(environment: LockedEnvironment) -> str:
    if environment.interpreter is None:
        return f"/usr/bin/python{environment.python}"
    home = f"{interpreter.PYTHONS}/{environment.interpreter}"
    return f"{home}/usr/bin/python{environment.python}"


def _normalise(tree: Path) -> None:
    """Leave nothing that tells when, by which uv or in which order the files were written."""
    settings = tree / "pyvenv.cfg"
    lines = settings.read_text().splitlines(keepends=True)
    settings.write_text("".join(line for line in lines if not line.startswith("uv =")))
    for left in (tree / ".lock", tree / ".gitignore", tree / "CACHEDIR.TAG"):
        left.unlink(missing_ok=True)
    for record in tree.glob("lib/*/site-packages/*.dist-info/RECORD"):
        # uv's note of the wheel's time and place, by which it would find the wheel changed.
        (record.parent / _UV_NOTE).unlink(missing_ok=True)
        listed = sorted(record.read_text().splitlines(keepends=True))
        record.write_text("".join(line for line in listed if f"/{_UV_NOTE}," not in line))
    for folder, names, files in os.walk(tree):
        for name in (*names, *files):
            os.utime(Path(folder, name), (erofs.TIMESTAMP,) * 2, follow_symlinks=False)
