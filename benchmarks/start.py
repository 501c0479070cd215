"""From everything cached to JupyterLab answering; `up` of a running machine; `--help`.

Usage: python benchmarks/start.py [--rounds 3]      (in a folder whose dsvm.toml is up and proven)

Each round stops the machine, starts it, and waits for the first HTTP 200 of JupyterLab. The bare
time of the same engine work has no rival to run beside it here; seconds are medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
DSVM = str(HERE.parent / "dsvm")


def dsvm(*argv: str) -> str:
    return subprocess.run([DSVM, *argv], capture_output=True, text=True, check=True).stdout


def timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as page:
            return bool(page.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def start_to_lab(url: str) -> float:
    """Seconds from `dsvm start` of a stopped machine to JupyterLab's first 200."""
    dsvm("stop")
    begin = time.perf_counter()
    child = subprocess.Popen([DSVM, "start"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not answers(url):
        if time.perf_counter() - begin > 120:
            raise SystemExit("JupyterLab did not answer within 120 s")
        time.sleep(0.02)
    seconds = time.perf_counter() - begin
    child.wait()
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    url = json.loads(dsvm("up", "--json"))["apps"]["jupyterlab"]["url"]
    figures = {
        "start_to_jupyterlab": [start_to_lab(url) for _ in range(rounds)],
        "up_of_running": [timed(lambda: dsvm("up")) for _ in range(rounds + 2)],
        "help": [timed(lambda: dsvm("--help")) for _ in range(rounds + 7)],
    }
    result = {name: statistics.median(values) for name, values in figures.items()}
    for name, seconds in result.items():
        print(f"{name}: {seconds:.2f} s (median of {len(figures[name])})")
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "start.json").write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
