"""Learns online, example after example, beats the best constant, is reloaded as it was."""

import json
import sys
from importlib.metadata import version

import numpy as np
from sklearn.datasets import load_diabetes, load_digits
from vowpalwabbit import Workspace

if sys.prefix != "/opt/dsvm/envs/vowpal-wabbit":
    sys.exit(f"this is the Python of {sys.prefix}, not of /opt/dsvm/envs/vowpal-wabbit")


def features(row: np.ndarray) -> str:
    return " ".join(f"f{n}:{value:.6g}" for n, value in enumerate(row) if value)


def progressive(model: Workspace, rows: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """What the model says of each row before it has seen the row's truth."""
    said = np.empty(len(rows))
    for n, (row, label) in enumerate(zip(rows, truth, strict=True)):
        said[n] = model.predict(f"| {features(row)}")
        model.learn(f"{label} | {features(row)}")
    return said


data = load_diabetes()
order = np.random.default_rng(0).permutation(len(data.target))
rows, truth = data.data[order], data.target[order] / 100
model = Workspace("--quiet --random_seed 1")
said = progressive(model, rows, truth)
later = slice(len(truth) // 2, None)
error = float(np.mean((said[later] - truth[later]) ** 2))
# The best constant there is, chosen with the truth at hand.
constant = float(np.var(truth[later]))
assert error < 0.8 * constant, f"error {error:.3f} is not better than the constant's {constant:.3f}"

digits = load_digits()
order = np.random.default_rng(0).permutation(len(digits.target))
pixels, labels = digits.data[order] / 16, digits.target[order] + 1
many = Workspace("--quiet --oaa 10 --random_seed 1")
named = progressive(many, pixels, labels)
accuracy = float((named[900:] == labels[900:]).mean())
assert accuracy > 0.85, f"digits: accuracy {accuracy:.3f}, more than 0.85 is demanded"

many.save("digits.vw")
again = Workspace("--quiet --testonly --initial_regressor digits.vw")
for row in pixels[:50]:
    line = f"| {features(row)}"
    assert again.predict(line) == many.predict(line), "reloaded, it predicts otherwise"
versions = {"vowpalwabbit": version("vowpalwabbit")}
print(
    json.dumps(
        {
            "error": round(error, 4),
            "constant": round(constant, 4),
            "accuracy": round(accuracy, 4),
            "versions": versions,
        }
    )
)
