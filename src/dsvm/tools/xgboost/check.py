"""Trains on real data, reaches a known accuracy, reloads the model and predicts the same."""

import json
import os
import shutil
import sys
import time
from importlib.metadata import version

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import xgboost
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

if sys.prefix != "/opt/dsvm/envs/boosting":
    sys.exit(f"this is the Python of {sys.prefix}, not of /opt/dsvm/envs/boosting")
expected = "cuda" if os.environ.get("DSVM_VARIANT") == "nvidia" else "cpu"
if expected == "cuda" and shutil.which("nvidia-smi") is None:
    raise SystemExit("the nvidia build is mounted, but there is no nvidia-smi")

data = load_digits()
seen, unseen, known, truth = train_test_split(
    data.data, data.target, random_state=0, stratify=data.target
)
model = xgboost.XGBClassifier(n_estimators=60, max_depth=3, learning_rate=0.4, device=expected)
start = time.perf_counter()
model.fit(seen, known, eval_set=[(unseen, truth)], verbose=False)
seconds = time.perf_counter() - start

named = model.predict(unseen)
accuracy = float((named == truth).mean())
assert accuracy > 0.95, f"accuracy {accuracy:.3f}, more than 0.95 is demanded"
losses = model.evals_result()["validation_0"]["mlogloss"]
assert losses[-1] < losses[0] / 3, f"the loss went from {losses[0]:.3f} to {losses[-1]:.3f} only"

model.save_model("model.json")
again = xgboost.XGBClassifier()
again.load_model("model.json")
assert np.array_equal(again.predict_proba(unseen), model.predict_proba(unseen)), (
    "reloaded, it differs"
)

used = json.loads(model.get_booster().save_config())["learner"]["generic_param"]["device"]
assert used.split(":")[0] == expected, f"it ran on {used}, expected {expected}"

plt.plot(losses)
plt.title(f"XGBoost, unseen digits: {accuracy:.3f} right")
plt.xlabel("trees")
plt.ylabel("log loss")
plt.savefig("loss.png", dpi=80)
versions = {"xgboost": xgboost.__version__, "scikit-learn": version("scikit-learn")}
print(
    json.dumps(
        {
            "device": used,
            "accuracy": round(accuracy, 4),
            "fit_s": round(seconds, 3),
            "versions": versions,
        }
    )
)
