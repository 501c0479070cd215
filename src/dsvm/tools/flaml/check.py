"""An AutoML search within a time limit beats the baseline on real data it has not seen."""

import time

import dsvm_check
import flaml
from flaml.automl.automl import AutoML
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeClassifier

dsvm_check.lives_in("boosting")
BUDGET_S = 6
# What it may take longer: it ends the trial it is in, and trains the best model once more.
LEEWAY_S = 30

data = load_digits()
seen, unseen, known, truth = train_test_split(
    data.data, data.target, random_state=0, stratify=data.target
)
baseline = DecisionTreeClassifier(random_state=0).fit(seen, known).score(unseen, truth)
search = AutoML()
start = time.perf_counter()
search.fit(
    seen,
    known,
    task="classification",
    metric="accuracy",
    time_budget=BUDGET_S,
    estimator_list=["lgbm", "rf", "extra_tree"],
    seed=0,
    verbose=0,
    n_jobs=1,
)
seconds = time.perf_counter() - start
assert seconds < BUDGET_S + LEEWAY_S, f"given {BUDGET_S} s it took {seconds:.0f} s"
accuracy = float((search.predict(unseen) == truth).mean())
assert accuracy > baseline + 0.05, (
    f"accuracy {accuracy:.3f}, the baseline of one tree has {baseline:.3f}"
)
dsvm_check.passed(
    accuracy=round(accuracy, 4),
    baseline=round(baseline, 4),
    best=search.best_estimator,
    search_s=round(seconds, 1),
    versions={"flaml": flaml.__version__},
)
