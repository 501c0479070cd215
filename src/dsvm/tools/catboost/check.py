"""Learns from numbers and from categories, reloads the model and predicts the same."""

import os
import time

import catboost
import dsvm_check
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

dsvm_check.lives_in("boosting")
device = "cuda" if os.environ.get("DSVM_VARIANT") == "nvidia" else "cpu"
options = {
    "verbose": 0,
    "random_seed": 0,
    "allow_writing_files": False,
    "task_type": "GPU" if device == "cuda" else "CPU",
}

data = load_breast_cancer()
seen, unseen, known, truth = train_test_split(
    data.data, data.target, random_state=0, stratify=data.target
)
model = catboost.CatBoostClassifier(iterations=80, depth=4, learning_rate=0.2, **options)
start = time.perf_counter()
model.fit(seen, known)
seconds = time.perf_counter() - start
accuracy = float((model.predict(unseen) == truth).mean())
assert accuracy > 0.92, f"accuracy {accuracy:.3f}, more than 0.92 is demanded"

model.save_model("model.cbm")
again = catboost.CatBoostClassifier().load_model("model.cbm")
assert np.array_equal(again.predict_proba(unseen), model.predict_proba(unseen)), (
    "reloaded, it differs"
)

# Only the words decide; nobody turned them into numbers.
rng = np.random.default_rng(0)
trips = pd.DataFrame({"city": rng.choice(["Oslo", "Rome", "Lima", "Cairo"], 400)})
trips["by"] = rng.choice(["ship", "train"], 400)
goes = ((trips["city"] == "Rome") | ((trips["city"] == "Lima") & (trips["by"] == "ship"))).astype(
    int
)
words = catboost.CatBoostClassifier(iterations=60, **options)
words.fit(trips[:300], goes[:300], cat_features=["city", "by"])
right = float((words.predict(trips[300:]) == goes[300:]).mean())
assert right == 1.0, f"of trips that words decide {right:.3f} are right, all are demanded"

dsvm_check.passed(
    device=device,
    accuracy=round(accuracy, 4),
    fit_s=round(seconds, 3),
    versions={"catboost": catboost.__version__},
)
