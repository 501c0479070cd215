"""A small system to build, and a clock that goes wrong.

Run as a program it builds that system elsewhere and prints the digests of its layers:

    python -m tests.system.build_support HOME LOCK
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from dsvm.build.build import build
from dsvm.catalog import load_catalog
from dsvm.catalog.compose import Composition, compose
from dsvm.home import Home
from dsvm.lock import fetch_all, make_lock, read_lock, write_lock
from dsvm.lock.model import Lock
from dsvm.store import Store

CHECKOUT = Path(__file__).parents[2]
CLOCK = Path("/run/dsvm-test-clock.so")
_DEFINITION = """\
name = "small"
base = "{base}"
[environments.tiny]
requirements = ["numpy", "requests"]
"""
_MMDEBSTRAP = """\
#!/bin/sh
# libfaketime's own leftovers of a killed process keep it from starting.
rm -f /dev/shm/faketime_shm_* /dev/shm/sem.faketime_sem_*
export LD_PRELOAD={library} FAKETIME=+1d NO_FAKE_STAT=1
exec {real} --setup-hook='mkdir -p "$1/run" && cp {library} "$1/run/"' "$@" \\
    --customize-hook='chroot "$1" date +%s > "{seen}"; rm "$1"{library}'
"""
_BWRAP = """\
#!/bin/bash
words=(--ro-bind {library} /clock.so)
for word in "$@"; do
    words+=("$word")
    if [ "$word" = --clearenv ]; then
        words+=(--setenv LD_PRELOAD /clock.so --setenv FAKETIME +1d --setenv NO_FAKE_STAT 1)
    fi
done
exec {real} "${{words[@]}}"
"""


def small(base: str = "debian-13") -> Composition:
    """A bootable system without tools, and one environment with compiled code and commands."""
    with tempfile.TemporaryDirectory() as folder:
        definition = Path(folder) / "dsvm.toml"
        definition.write_text(_DEFINITION.format(base=base))
        _, whole = compose(definition)
    of = load_catalog().bases[base]
    return dataclasses.replace(
        whole,
        tools=(),
        packages=(*of.packages, of.kernel, *of.python_packages),
        environments=tuple(plan for plan in whole.environments if plan.name == "tiny"),
    )


def locked(composition: Composition, home: Home) -> Lock:
    """Its lock, all of it fetched."""
    lock = make_lock(composition, home)
    fetch_all(lock, home)
    return lock


def copy_downloads(lock: Lock, source: Home, target: Home) -> None:
    """What the lock names, in a store of its own: nothing is built or unpacked there yet."""
    known, store = Store(source.store), Store(target.store)
    trees = (lock.os, lock.tools_tree, *lock.interpreters.values())
    digests = {package.sha256 for tree in trees for package in tree.packages}
    digests |= {wheel.sha256 for one in lock.environments for wheel in one.packages}
    for digest in digests:
        store.put_file(known.get(digest))


def digests(lock: Lock, home: Home) -> dict[str, str]:
    """Build; the digest of each layer by name."""
    image = build(lock, small(lock.base), home)
    return {layer.name: layer.digest for layer in image.layers}


def built_elsewhere(
    lock: Lock,
    home: Home,
    *,
    prefix: tuple[str, ...] = (),
    python: str = sys.executable,
    env: dict[str, str] | None = None,
) -> dict[str, str]:
    """`digests` in a process of its own, with another environment."""
    file = home.root / "dsvm.lock"
    write_lock(file, lock)
    file.chmod(0o644)
    command = [*prefix, python, "-m", "tests.system.build_support", str(home.root), str(file)]
    paths = [str(CHECKOUT / "src"), *(path for path in sys.path if "site-packages" in path)]
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": ":".join(paths), **(env or {})},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def wrong_clock(folder: Path) -> tuple[Path, Path]:
    """A folder for PATH in which mmdebstrap and bwrap live a day ahead; a file one writes.

    libfaketime is preloaded inside as well. It lies in /run, whose time is fixed in any case.
    """
    shutil.copyfile(_libfaketime(folder), CLOCK)
    seen, programs = folder / "seen", folder / "programs"
    programs.mkdir()
    for name, text in (("mmdebstrap", _MMDEBSTRAP), ("bwrap", _BWRAP)):
        real = shutil.which(name)
        (programs / name).write_text(text.format(real=real, library=CLOCK, seen=seen))
        (programs / name).chmod(0o755)
    return programs, seen


def right_clock() -> None:
    """Remove what `wrong_clock` and libfaketime leave outside of its folder."""
    left = [*Path("/dev/shm").glob("faketime_shm_*"), *Path("/dev/shm").glob("sem.faketime_sem_*")]
    for file in (CLOCK, *left):
        file.unlink(missing_ok=True)


def _libfaketime(folder: Path) -> Path:
    pattern = "usr/lib/*/faketime/libfaketime.so.1"
    if found := next(Path("/").glob(pattern), None):
        return found
    subprocess.run(["apt-get", "download", "libfaketime"], cwd=folder, check=True)
    [deb] = folder.glob("libfaketime_*.deb")
    subprocess.run(["dpkg-deb", "-x", deb, folder / "libfaketime"], check=True)
    return next((folder / "libfaketime").glob(pattern))


if __name__ == "__main__":
    lock = read_lock(Path(sys.argv[2]))
    assert lock
    print(json.dumps(digests(lock, Home(Path(sys.argv[1])))))
