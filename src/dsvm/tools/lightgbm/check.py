"""Trains on real data, explains its answers exactly, reloads the model and predicts the same."""

import time

import dsvm_check
import lightgbm
import matplotlib
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

matplotlib.use("Agg")
dsvm_check.lives_in("boosting")

data = load_breast_cancer()
seen, unseen, known, truth = train_test_split(
    data.data, data.target, random_state=0, stratify=data.target
)
# One thread: on data this small more only wait for each other.
model = lightgbm.LGBMClassifier(
    n_estimators=80, learning_rate=0.1, num_leaves=15, n_jobs=1, verbose=-1
)
start = time.perf_counter()
model.fit(seen, known, eval_set=[(unseen, truth)])
seconds = time.perf_counter() - start

accuracy = float((model.predict(unseen) == truth).mean())
assert accuracy > 0.92, f"accuracy {accuracy:.3f}, more than 0.92 is demanded"
losses = next(iter(next(iter(model.evals_result_.values())).values()))
assert losses[-1] < losses[0] / 3, f"the loss went from {losses[0]:.3f} to {losses[-1]:.3f} only"

# What each feature adds must sum to the raw score: SHAP values are exact for trees.
raw = model.predict(unseen, raw_score=True)
parts = model.predict(unseen, pred_contrib=True)
assert np.allclose(parts.sum(axis=1), raw), "the contributions do not add up to the score"

model.booster_.save_model("model.txt")
again = lightgbm.Booster(model_file="model.txt").predict(unseen)
assert np.allclose(again, model.predict_proba(unseen)[:, 1]), "reloaded, it differs"

axes = lightgbm.plot_importance(model, max_num_features=10, title=f"Unseen: {accuracy:.3f} right")
axes.figure.savefig("importance.png", dpi=80, bbox_inches="tight")
dsvm_check.passed(
    accuracy=round(accuracy, 4),
    fit_s=round(seconds, 3),
    versions={"lightgbm": lightgbm.__version__},
)
