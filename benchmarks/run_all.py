"""Runs every benchmark, then writes docs/benchmarks.md anew.

Usage: python -m benchmarks.run_all        (root, two quiet CPUs, half an hour)
       python benchmarks/run_all.py        the same

What only reads (`start`, `moves`, `growth`, `models`) uses DSVM_HOME for downloads and for what is
built already; everything measured cold is built in a folder of its own.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ALL = (
    ("rivals", "--rounds", "2"),
    ("start", "--rounds", "5", "--boots", "2"),
    ("moves", "--rounds", "4"),
    ("growth", "--repeats", "3"),
    ("models", "--rounds", "5"),
    ("page",),
)


def main() -> int:
    began, failed = time.monotonic(), []
    for name, *arguments in ALL:
        print(f"== {name}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
        if subprocess.run(command, cwd=Path(__file__).resolve().parents[1]).returncode:
            failed.append(name)
    print(f"{(time.monotonic() - began) / 60:.0f} minutes; failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
