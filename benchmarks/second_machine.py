"""A second machine from an image that is there: how long it takes, what it takes on disk.

Usage: python benchmarks/second_machine.py [--rounds 3]   (in a folder that has dsvm.toml and its
dsvm.lock, of a machine that does not exist yet; image and layers are in the store)

Each round makes the machine by `dsvm up`, stops and starts it once, and removes it. `created` is
the time until it runs and answers over SSH as it shall be: all of `up` but its proof (`verify`).
`start_again` is what of that a start takes; the rest made the disk, keys and seed. Seconds are
medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
DSVM = str(HERE.parent / "dsvm")


def dsvm(*argv: str) -> str:
    return subprocess.run([DSVM, *argv], capture_output=True, text=True, check=True).stdout


def one() -> dict[str, float]:
    begin = time.perf_counter()
    told = json.loads(dsvm("up", "--json"))
    total = time.perf_counter() - begin
    disk = Path(told["ssh"]["identity"]).parents[1] / "disk.qcow2"
    mib = disk.stat().st_blocks * 512 / 2**20
    dsvm("stop", told["name"])
    begin = time.perf_counter()
    dsvm("start", told["name"])
    again = time.perf_counter() - begin
    dsvm("rm", told["name"], "--yes")
    seconds = {name: float(value) for name, value in told["seconds"].items()}
    created = total - seconds["verify"]
    return {"total": total, "created": created, "start_again": again, "disk_mib": mib, **seconds}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = [one() for _ in range(parser.parse_args().rounds)]
    result = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    for name, value in result.items():
        print(f"{name}: {value:.2f} (median of {len(rounds)})")
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "second_machine.json").write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
