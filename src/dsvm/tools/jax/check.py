"""A network learns handwritten digits in a step compiled once; its derivatives are right."""

import os
import time
from importlib.metadata import version

import dsvm_check
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

dsvm_check.lives_in("jax")
expected = "cuda" if os.environ.get("DSVM_VARIANT") == "nvidia" else "cpu"
used = {"gpu": "cuda"}.get(jax.default_backend(), jax.default_backend())
assert used == expected, f"it runs on {used}, expected {expected}"
EPOCHS, BATCH = 12, 64


class Digits(nnx.Module):
    def __init__(self, rngs):
        self.conv = nnx.Conv(1, 16, (3, 3), rngs=rngs)
        self.hidden = nnx.Linear(16 * 64, 64, rngs=rngs)
        self.out = nnx.Linear(64, 10, rngs=rngs)

    def __call__(self, images):
        x = nnx.relu(self.conv(images)).reshape(len(images), -1)
        return self.out(nnx.relu(self.hidden(x)))


traced = 0


@nnx.jit
def step(model, optimizer, images, labels):
    global traced
    traced += 1

    def loss_of(model):
        losses = optax.softmax_cross_entropy_with_integer_labels(model(images), labels)
        return losses.mean()

    loss, gradient = nnx.value_and_grad(loss_of)(model)
    optimizer.update(model, gradient)
    return loss


# d/dx sum(x sin x) = sin x + x cos x
x = jnp.linspace(0, 3, 7)
slope = jax.jit(jax.grad(lambda x: (x * jnp.sin(x)).sum()))(x)
assert np.allclose(slope, np.sin(x) + x * np.cos(x), atol=1e-5), "the derivative is wrong"

data = load_digits()
images = (data.images[..., None] / 16).astype("float32")
seen, unseen, known, truth = train_test_split(images, data.target, random_state=0)
model = Digits(nnx.Rngs(0))
optimizer = nnx.Optimizer(model, optax.adam(2e-3), wrt=nnx.Param)
order = np.random.default_rng(0)
losses = []
start = time.perf_counter()
for _ in range(EPOCHS):
    rows = order.permutation(len(seen))
    for first in range(0, len(seen) - BATCH + 1, BATCH):
        batch = rows[first : first + BATCH]
        loss = step(model, optimizer, seen[batch], known[batch])
    losses.append(float(loss))
seconds = time.perf_counter() - start
assert traced == 1, f"the step was traced {traced} times, it must be compiled once"
assert losses[-1] < losses[0] / 2, f"the loss went from {losses[0]:.3f} to {losses[-1]:.3f} only"
accuracy = float((model(unseen).argmax(1) == truth).mean())
assert accuracy > 0.95, f"accuracy {accuracy:.3f}, more than 0.95 is demanded"
dsvm_check.passed(
    device=used,
    accuracy=round(accuracy, 4),
    train_s=round(seconds, 2),
    versions={"jax": jax.__version__, "flax": version("flax"), "optax": optax.__version__},
)
