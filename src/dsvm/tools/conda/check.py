"""Its packages are those of the channel, Python among them; a tree learns flowers with them."""

import json
import sys
from pathlib import Path

import dsvm_check

dsvm_check.lives_in("conda")
records = [json.loads(file.read_text()) for file in Path(sys.prefix, "conda-meta").glob("*.json")]
channels = {record["name"]: record["channel"] for record in records}
for name in ("python", "numpy", "scikit-learn"):
    assert "conda-forge" in channels.get(name, ""), f"{name} is of {channels.get(name)}"

import numpy as np  # noqa: E402
import sklearn  # noqa: E402
from sklearn.datasets import load_iris  # noqa: E402
from sklearn.model_selection import train_test_split  # noqa: E402
from sklearn.tree import DecisionTreeClassifier  # noqa: E402

for module in (np, sklearn):
    assert module.__file__.startswith(sys.prefix), f"{module.__name__} is {module.__file__}"
data = load_iris()
seen, unseen, known, truth = train_test_split(
    data.data, data.target, random_state=0, stratify=data.target
)
tree = DecisionTreeClassifier(random_state=0).fit(seen, known)
accuracy = float((tree.predict(unseen) == truth).mean())
assert accuracy > 0.9, f"accuracy {accuracy:.3f}, more than 0.9 is demanded"
dsvm_check.passed(
    accuracy=round(accuracy, 4),
    packages=len(records),
    versions={"python": sys.version.split()[0], "numpy": np.__version__},
)
