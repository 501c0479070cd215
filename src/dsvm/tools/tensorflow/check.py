"""A network learns handwritten digits: loss and accuracy pass a bar; reloaded it is the same."""

import os
import time

import dsvm_check

# It tells of every instruction set and GPU library it has looked for; errors are still told.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

dsvm_check.lives_in("tensorflow")
expected = "cuda" if os.environ.get("DSVM_VARIANT") == "nvidia" else "cpu"
gpus = tf.config.list_physical_devices("GPU")
assert expected == "cpu" or gpus, "the nvidia build is mounted, but TensorFlow sees no GPU"
assert keras.backend.backend() == "tensorflow", f"Keras runs on {keras.backend.backend()}"
for gpu in gpus:
    tf.config.experimental.set_memory_growth(gpu, True)

keras.utils.set_random_seed(0)
data = load_digits()
images = (data.images[..., None] / 16).astype("float32")
seen, unseen, known, truth = train_test_split(images, data.target, random_state=0)
model = keras.Sequential(
    [
        keras.layers.Input((8, 8, 1)),
        keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(10),
    ]
)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
start = time.perf_counter()
losses = model.fit(seen, known, batch_size=64, epochs=8, verbose=0).history["loss"]
seconds = time.perf_counter() - start
accuracy = model.evaluate(unseen, truth, verbose=0)[1]
assert losses[-1] < losses[0] / 2, f"the loss went from {losses[0]:.3f} to {losses[-1]:.3f} only"
assert accuracy > 0.95, f"accuracy {accuracy:.3f}, more than 0.95 is demanded"

model.save("digits.keras")
again = keras.models.load_model("digits.keras").predict(unseen, verbose=0)
assert np.allclose(again, model.predict(unseen, verbose=0), atol=1e-5), "reloaded, it differs"

where = tf.reduce_sum(tf.ones([4, 4])).device
used = "cuda" if "GPU" in where else "cpu"
assert used == expected, f"it ran on {where}, expected {expected}"
dsvm_check.passed(
    device=used,
    accuracy=round(float(accuracy), 4),
    train_s=round(seconds, 2),
    versions={"tensorflow": tf.__version__, "keras": keras.__version__},
)
