"""Sums an array over worker processes, as numpy does alone; a killed worker's task is run again."""

import os
import secrets
import shutil
import signal
import tempfile
import time
from pathlib import Path

import dsvm_check
import numpy as np

dsvm_check.lives_in("cluster")
# Ray reads them when it is imported: nothing is sent to its maker, no secret is left in the home.
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_TOKEN": secrets.token_hex()}
import ray  # noqa: E402

OBJECTS = 80 * 1024**2


@ray.remote(num_cpus=1)
class Summer:
    """A process of its own that keeps what it was given."""

    def __init__(self):
        self.total = 0.0

    def add(self, numbers):
        self.total += float(numbers.sum())

    def told(self):
        return os.getpid(), self.total


@ray.remote(num_cpus=1, max_retries=2)
def killed_once(mark):
    """The first process that runs it is killed in the middle; the next one finds its mark."""
    if not mark.exists():
        mark.write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


# Ray puts sockets there, whose paths may have 107 bytes: the check's own folder lies too deep.
place = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
start = time.perf_counter()
try:
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=OBJECTS,
        log_to_driver=False,
        _temp_dir=place,
    )
    started = time.perf_counter() - start

    numbers = np.random.default_rng(0).normal(size=400_000)
    summers = [Summer.remote() for _ in range(2)]
    for part, block in enumerate(np.split(numbers, 8)):
        summers[part % 2].add.remote(ray.put(block))
    told = dict(ray.get([summer.told.remote() for summer in summers]))
    assert len(told) == 2, f"2 worker processes were asked for: {told}"
    assert os.getpid() not in told, "a worker is this process"
    total = sum(told.values())
    assert np.isclose(total, numbers.sum()), f"Ray sums to {total}, numpy to {numbers.sum()}"
    for summer in summers:
        ray.kill(summer)

    mark = Path("first").absolute()
    start = time.perf_counter()
    second = ray.get(killed_once.remote(mark))
    again = time.perf_counter() - start
    first = int(mark.read_text())
    assert second != first, f"the task of the killed process {first} was not run by another one"
finally:
    ray.shutdown()
    shutil.rmtree(place, ignore_errors=True)
dsvm_check.passed(
    workers=len(told),
    start_s=round(started, 1),
    run_again_after_s=round(again, 1),
    versions={"ray": ray.__version__},
)
