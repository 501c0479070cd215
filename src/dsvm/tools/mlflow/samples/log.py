"""`log.py NAME` logs a run to that experiment, says where; `log.py NAME ID` removes it again."""

import sys
from pathlib import Path

import mlflow
from mlflow.cli import gc

STORE = f"sqlite:///{Path.home()}/mlflow/mlflow.db"
name, *known = sys.argv[1:]
mlflow.set_tracking_uri(STORE)
if known:
    mlflow.delete_experiment(known[0])
    # Deleted it is only hidden.
    gc.main(["--backend-store-uri", STORE, "--experiment-ids", known[0]], standalone_mode=False)
else:
    mlflow.set_experiment(name)
    with mlflow.start_run(run_name="halving") as run:
        mlflow.log_param("rows", 178)
        for step in range(3):
            mlflow.log_metric("loss", 0.5**step, step=step)
    print(run.info.experiment_id, run.info.run_id)
