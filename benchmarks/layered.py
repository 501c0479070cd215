"""A layered environment against a plain venv: imports and a fit, interleaved on one machine.

Usage: python -m benchmarks.layered [MACHINE] [--rounds 10]      (not part of `run_all`)

The plain venv is a copy of the same environment on the machine's own disk (no EROFS, no overlay),
so both run the same bytes with the same interpreter. Warm rounds alternate which goes first; cold
figures, with the page cache dropped on the host, are printed beside them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
from collections.abc import Mapping
from pathlib import Path

from benchmarks.support import DSVM, Figure, save

TEXT = """\
The same environment twice in one machine: as a layer (EROFS under an overlay), and copied to the
machine's own disk. Same bytes, same interpreter, in turns. Cold means that the host's page cache
was dropped before.
"""

DRIVER = r"""
import json, subprocess, sys, time
layered, plain, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
work = {
    "imports": "import numpy, scipy, pandas, sklearn.ensemble, matplotlib.pyplot, xgboost",
    "fit": '''
import numpy as np, xgboost
from sklearn.ensemble import RandomForestClassifier
x = np.random.default_rng(0).normal(size=(1500, 40))
y = (x[:, :3].sum(1) > 0).astype(int)
for _ in range(2): np.linalg.svd(x @ x.T[:, :200])
RandomForestClassifier(40, n_jobs=1, random_state=0).fit(x, y)
xgboost.XGBClassifier(n_estimators=60, nthread=1).fit(x, y)
''',
}
def once(python, code):
    start = time.perf_counter()
    subprocess.run([python, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start
out = {}
for name, code in work.items():
    pair = {"layered": layered + "/bin/python", "plain": plain + "/bin/python"}
    for python in pair.values(): once(python, code)
    times = {key: [] for key in pair}
    for i in range(rounds):
        for key in sorted(pair, reverse=bool(i % 2)):
            times[key].append(once(pair[key], code))
    out[name] = times
print(json.dumps(out))
"""

COLD = (
    "import time,subprocess,sys; s=time.perf_counter(); "
    "subprocess.run([sys.argv[1]+'/bin/python','-c',"
    "'import numpy,scipy,pandas,sklearn.ensemble,matplotlib.pyplot,xgboost'],check=True); "
    "print(time.perf_counter()-s)"
)


def inside(machine: list[str], *argv: str, stdin: str = "") -> str:
    """Run a command in the machine; its stdout."""
    done = subprocess.run(
        [DSVM, "run", *machine, "--", *argv],
        input=stdin,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def cold(machine: list[str], folder: str) -> float:
    """Seconds of one import with the host's page cache dropped (needs root on the host)."""
    subprocess.run(["sync"], check=True)
    Path("/proc/sys/vm/drop_caches").write_text("3")
    return float(inside(machine, "/usr/bin/python3", "-c", COLD, folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("machine", nargs="?")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--environment", default="boosting")
    options = parser.parse_args()
    machine = [options.machine] if options.machine else []
    layered = f"/opt/dsvm/envs/{options.environment}"
    plain = "/home/ds/.cache/dsvm-plain"

    inside(machine, "bash", "-c", f"rm -rf {plain} && cp -a {layered} {plain}")
    rounds = str(options.rounds)
    warm = json.loads(
        inside(machine, "/usr/bin/python3", "-", layered, plain, rounds, stdin=DRIVER)
    )
    colds = [(cold(machine, layered), cold(machine, plain)) for _ in range(3)]
    inside(machine, "rm", "-rf", plain)
    cold_times = {"layered": [one for one, _ in colds], "plain": [one for _, one in colds]}
    times = {**warm, "cold imports": cold_times}
    figures = [figure(f"{name}: layered by plain", pair) for name, pair in times.items()]
    save("layered", "An environment as a layer", TEXT, figures, seconds=times)


def figure(what: str, pair: Mapping[str, list[float]]) -> Figure:
    """The median of the ratios of runs beside each other."""
    values = [one / other for one, other in zip(pair["layered"], pair["plain"], strict=True)]
    return Figure(what, statistics.median(values), "x", values=values)


if __name__ == "__main__":
    main()
