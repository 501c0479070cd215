"""Starts its server, trains a GBM that knows tumours it has not seen, and stops the server."""

import json
import socket
import time
from pathlib import Path

import dsvm_check
import h2o
import pandas as pd
from h2o.estimators import H2OGradientBoostingEstimator
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

dsvm_check.lives_in("h2o")
STOP_S = 30


def answers(port):
    """Whether something listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


data = load_breast_cancer()
table = pd.DataFrame(data.data, columns=[name.replace(" ", "_") for name in data.feature_names])
table["kind"] = [data.target_names[one] for one in data.target]
seen, unseen = train_test_split(table, random_state=0, stratify=table["kind"])
port = dsvm_check.free_port()
start = time.perf_counter()
h2o.init(
    ip="127.0.0.1",
    port=port,
    max_mem_size="500m",
    nthreads=2,
    bind_to_localhost=True,
    ice_root=str(Path.cwd()),
    log_dir=str(Path.cwd() / "logs"),
    verbose=False,
)
started = time.perf_counter() - start
h2o.no_progress()
told = json.loads(dsvm_check.fetch(f"http://127.0.0.1:{port}/3/Cloud"))
assert told["cloud_healthy"], f"the server says of itself {told}"
assert told["cloud_size"] == 1, f"it has joined others: {told['nodes']}"

start = time.perf_counter()
frame, other = h2o.H2OFrame(seen), h2o.H2OFrame(unseen)
frame["kind"] = frame["kind"].asfactor()
model = H2OGradientBoostingEstimator(ntrees=40, max_depth=3, seed=1)
model.train(y="kind", training_frame=frame)
seconds = time.perf_counter() - start
answered = model.predict(other).as_data_frame()
accuracy = float((answered.iloc[:, 0].to_numpy() == unseen["kind"].to_numpy()).mean())
assert accuracy > 0.92, f"accuracy {accuracy:.3f}, more than 0.92 is demanded"

saved = h2o.save_model(model, path=str(Path.cwd()), force=True)
again = h2o.load_model(saved).predict(other).as_data_frame()
differ = float((again.iloc[:, 1] - answered.iloc[:, 1]).abs().max())
assert differ < 1e-12, f"reloaded, the model answers otherwise, by {differ:.2g}"

h2o.cluster().shutdown()
late = time.monotonic() + STOP_S
while answers(port):
    assert time.monotonic() < late, f"the server still listens {STOP_S} s after it was told to stop"
    time.sleep(0.2)
dsvm_check.passed(
    accuracy=round(accuracy, 4),
    start_s=round(started, 1),
    train_s=round(seconds, 1),
    versions={"h2o": h2o.__version__},
)
