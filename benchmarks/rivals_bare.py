"""The bare tools in sequence: mmdebstrap, then for each environment uv and mkfs.erofs.

They do the least: no byte code, no disk that boots, no digests.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import uv

from dsvm.lock.model import Lock


def build(lock: Lock, repository: Path, wheels: Path, work: Path) -> None:
    """All of a lock below `work`, with each tool's own defaults."""
    work.mkdir()
    names = ",".join(package.name for package in lock.os.packages)
    source = f"deb [trusted=yes] copy:{repository} ./"
    essential = ["mmdebstrap", "--variant=essential", f"--include={names}"]
    run(*essential, lock.os.suite, work / "os.tar", source)
    for one in lock.environments:
        tree = work / f"{one.name}-{one.variant}"
        pins = [f"{wheel.name}=={wheel.version}" for wheel in one.packages]
        run(
            *(uv.find_uv_bin(), "pip", "install", "--no-config", "--no-deps", "--no-index"),
            *("--find-links", wheels, "--cache-dir", work / "cache", "--target", tree),
            *("--python-version", one.python, "--python-platform", "x86_64-manylinux_2_40"),
            *pins,
        )
        run("mkfs.erofs", "-zlz4", "-C65536", work / f"{tree.name}.erofs", tree)


def run(*words: str | Path) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True)
