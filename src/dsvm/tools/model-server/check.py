"""A trained model is served by the open inference protocol and answers as it does at home.

The protocol: https://github.com/kserve/open-inference-protocol (REST).
"""

import sys
import time
from importlib.metadata import version
from pathlib import Path

import dsvm_check
import joblib
import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

dsvm_check.lives_in("serving")
SERVE = Path(__file__).with_name("serve.py")

data = load_iris()
model = LogisticRegression(max_iter=500).fit(data.data, data.target)
joblib.dump(model, "iris.joblib")
flowers = data.data[::3]
asked = {
    "id": "fifty flowers",
    "inputs": [
        {
            "name": "flowers",
            "shape": list(flowers.shape),
            "datatype": "FP64",
            "data": flowers.flatten().tolist(),
        }
    ],
}
port = dsvm_check.free_port()
address = f"http://127.0.0.1:{port}/v2"
start = time.perf_counter()
with dsvm_check.server(
    [sys.executable, str(SERVE), "--http_port", str(port), "--enable_grpc", "false"],
    f"{address}/models/iris/ready",
):
    started = time.perf_counter() - start
    live = dsvm_check.fetch_json(f"{address}/health/live")
    assert live.get("live") is True, f"it says of its health: {live}"
    told = dsvm_check.fetch_json(f"{address}/models/iris")
    assert told["name"] == "iris", f"it describes the model as {told}"
    start = time.perf_counter()
    answer = dsvm_check.fetch_json(f"{address}/models/iris/infer", asked)
    seconds = time.perf_counter() - start
assert answer["id"] == asked["id"], f"it answers the request {answer['id']!r}"
(output,) = answer["outputs"]
assert output["shape"] == [50, 3], f"the answer has the shape {output['shape']}, not [50, 3]"
served = np.array(output["data"]).reshape(output["shape"])
differ = float(np.abs(served - model.predict_proba(flowers)).max())
assert differ < 1e-9, f"served, the model answers otherwise than at home, by {differ:.2g}"
accuracy = float((served.argmax(1) == data.target[::3]).mean())
assert accuracy > 0.94, f"accuracy {accuracy:.3f}, more than 0.94 is demanded"
dsvm_check.passed(
    accuracy=round(accuracy, 4),
    start_s=round(started, 1),
    answer_ms=round(seconds * 1000, 1),
    versions={"kserve": version("kserve")},
)
