"""Curves of two runs are logged and read back, value by value, through its web service."""

import sys
import time
from urllib.parse import urlencode

import dsvm_check
import numpy as np
import tensorboard
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

dsvm_check.lives_in("mlops")
RUNS = {"slow": 0.9, "fast": 0.5}
STEPS = 20


def log(run, decay):
    """A falling loss, as every framework's writer puts it into an event file."""
    writer = EventFileWriter(f"runs/{run}")
    losses = [decay**step for step in range(STEPS)]
    for step, loss in enumerate(losses):
        summary = Summary(value=[Summary.Value(tag="loss", simple_value=loss)])
        writer.add_event(Event(step=step, wall_time=1.7e9 + step, summary=summary))
    writer.close()
    return losses


logged = {run: log(run, decay) for run, decay in RUNS.items()}
port = dsvm_check.free_port()
address = f"http://127.0.0.1:{port}"
start = time.perf_counter()
with dsvm_check.server(
    [
        *(sys.executable, "-m", "tensorboard.main", "--logdir", "runs"),
        *("--host", "127.0.0.1", "--port", str(port), "--reload_interval", "1"),
    ],
    f"{address}/data/environment",
):
    started = time.perf_counter() - start
    late = time.monotonic() + 30
    while set(dsvm_check.fetch_json(f"{address}/data/runs")) != set(RUNS):
        assert time.monotonic() < late, "it does not find both runs"
        time.sleep(0.2)
    for run, losses in logged.items():
        query = urlencode({"run": run, "tag": "loss"})
        shown = dsvm_check.fetch_json(f"{address}/data/plugin/scalars/scalars?{query}")
        values = [value for _, _, value in shown]
        right = len(values) == STEPS and np.allclose(values, losses, rtol=1e-6)
        assert right, f"{run}: the service has the losses {values[:3]}, logged were {losses[:3]}"
    page = dsvm_check.fetch(f"{address}/").decode()
    assert "<title>TensorBoard</title>" in page, f"its page begins {page[:200]!r}"
dsvm_check.passed(
    runs=len(logged),
    points=STEPS * len(logged),
    start_s=round(started, 1),
    versions={"tensorboard": tensorboard.__version__},
)
