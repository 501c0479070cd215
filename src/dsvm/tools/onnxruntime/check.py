"""Two models trained by scikit-learn are exported and give the same numbers here."""

import os
import time

import dsvm_check
import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

dsvm_check.lives_in("vision")
device = "cuda" if os.environ.get("DSVM_VARIANT") == "nvidia" else "cpu"
wanted = "CUDAExecutionProvider" if device == "cuda" else "CPUExecutionProvider"

data = load_digits()
images = (data.data / 16).astype(np.float32)
seen, unseen, known, truth = train_test_split(images, data.target, random_state=0)
models = {
    "network": MLPClassifier((32,), max_iter=60, random_state=0, early_stopping=True),
    "forest": RandomForestClassifier(40, max_depth=8, random_state=0),
}
accuracy, per_image = {}, {}
for name, model in models.items():
    model.fit(seen, known)
    exported = to_onnx(model, seen[:1], options={"zipmap": False})
    session = onnxruntime.InferenceSession(exported.SerializeToString(), providers=[wanted])
    assert session.get_providers()[0] == wanted, (
        f"it runs on {session.get_providers()[0]}, expected {wanted}"
    )
    start = time.perf_counter()
    named, probabilities = session.run(None, {session.get_inputs()[0].name: unseen})
    per_image[name] = round((time.perf_counter() - start) / len(unseen) * 1e6, 2)
    differ = float(np.abs(probabilities - model.predict_proba(unseen)).max())
    assert differ < 1e-4, f"{name}: its probabilities differ from scikit-learn's by {differ:.2g}"
    assert np.array_equal(named, model.predict(unseen)), f"{name}: it names other digits"
    accuracy[name] = round(float((named == truth).mean()), 4)
    assert accuracy[name] > 0.9, f"{name}: accuracy {accuracy[name]}, more than 0.9 is demanded"
dsvm_check.passed(
    device=device,
    accuracy=accuracy,
    microseconds_per_image=per_image,
    versions={"onnxruntime": onnxruntime.__version__},
)
