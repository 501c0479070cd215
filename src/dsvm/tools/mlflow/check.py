"""Logs a run to its web service, reads it back over HTTP, loads the logged model again."""

import os
import sys
import time
from pathlib import Path

import dsvm_check
import numpy as np
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

# It counts its users unless told not to; Git is none of its business here.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
# Jobs of the server for language models would start two more processes.
os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
os.environ["GIT_PYTHON_REFRESH"] = "quiet"
import mlflow

dsvm_check.lives_in("mlops")

LOSSES = [0.9, 0.5, 0.25]
port = dsvm_check.free_port()
address = f"http://127.0.0.1:{port}"
here = Path.cwd()
start = time.perf_counter()
with dsvm_check.server(
    [
        *(f"{sys.prefix}/bin/mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--backend-store-uri", f"sqlite:///{here}/runs.db", "--workers", "1"),
        *("--artifacts-destination", str(here / "artifacts"), "--serve-artifacts"),
    ],
    f"{address}/health",
):
    started = time.perf_counter() - start
    mlflow.set_tracking_uri(address)
    mlflow.set_experiment("check")
    data = load_wine()
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(data.data, data.target)
    with mlflow.start_run() as run:
        mlflow.log_param("rows", len(data.data))
        for step, loss in enumerate(LOSSES):
            mlflow.log_metric("loss", loss, step=step)
        logged = mlflow.sklearn.log_model(model, name="wine", pip_requirements=["scikit-learn"])

    api = f"{address}/api/2.0/mlflow"
    told = dsvm_check.fetch_json(f"{api}/runs/get?run_id={run.info.run_id}")["run"]
    assert told["info"]["status"] == "FINISHED", f"the run is {told['info']['status']}"
    rows = {one["key"]: one["value"] for one in told["data"]["params"]}.get("rows")
    assert rows == "178", f"the service has rows = {rows}, 178 were logged"
    history = dsvm_check.fetch_json(
        f"{api}/metrics/get-history?run_id={run.info.run_id}&metric_key=loss"
    )
    losses = [one["value"] for one in history["metrics"]]
    assert losses == LOSSES, f"the service has the losses {losses}, logged were {LOSSES}"
    page = dsvm_check.fetch(f"{address}/").decode()
    assert "<title>MLflow</title>" in page, f"its page begins {page[:200]!r}"

    again = mlflow.sklearn.load_model(logged.model_uri)
    assert np.array_equal(again.predict_proba(data.data), model.predict_proba(data.data)), (
        "loaded again, the model differs"
    )
dsvm_check.passed(losses=losses, start_s=round(started, 1), versions={"mlflow": mlflow.__version__})
