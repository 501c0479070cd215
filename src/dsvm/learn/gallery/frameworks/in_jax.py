"""The network in JAX with optax. In: given.npz. Out: jax.npz, and a file of ONNX for each seed."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import optax
from onnx import TensorProto, helper, numpy_helper

given = np.load("given.npz")
jax.config.update("jax_default_matmul_precision", "highest")  # all digits, also on a GPU
images, labels = jnp.asarray(given["images"]), jnp.asarray(given["labels"])
optimizer = optax.sgd(float(given["rate"]), momentum=0.9)
found = {}


def network(layers, pixels):
    *hidden, last = layers
    for weights, bias in hidden:
        pixels = jnp.tanh(pixels @ weights + bias)
    return pixels @ last[0] + last[1]


def loss_of(layers, batch):
    scores = network(layers, images[batch])
    return optax.softmax_cross_entropy_with_integer_labels(scores, labels[batch]).mean()


@jax.jit
def step(layers, memory, batch):
    loss, slopes = jax.value_and_grad(loss_of)(layers, batch)
    change, memory = optimizer.update(slopes, memory)
    return optax.apply_updates(layers, change), memory, loss


# JAX notes a function down as a list of small operations. Those of this network, in ONNX's words:
WORDS = {"dot_general": "MatMul", "add": "Add", "tanh": "Tanh", "broadcast_in_dim": "Identity"}


def to_onnx(function, example):
    """The function as a model of ONNX. Raises KeyError for an operation that has no word above."""
    traced = jax.make_jaxpr(function)(example)
    steps = traced.jaxpr
    names = {variable: f"constant {number}" for number, variable in enumerate(steps.constvars)}
    constants = dict(zip(names.values(), traced.consts, strict=True))
    names |= {steps.invars[0]: "pixels", steps.outvars[0]: "scores"}

    nodes = []
    for one in steps.eqns:
        result = names.setdefault(one.outvars[0], f"step {len(nodes)}")
        taken = [names[value] for value in one.invars]
        nodes.append(helper.make_node(WORDS[one.primitive.name], taken, [result]))
    pixels, scores = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["pictures", one.aval.shape[1]])
        for name, one in (("pixels", steps.invars[0]), ("scores", steps.outvars[0]))
    )
    weights = [
        numpy_helper.from_array(np.asarray(one, np.float32), name)
        for name, one in constants.items()
    ]
    graph = helper.make_graph(nodes, "network", [pixels], [scores], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model


for seed in given["seeds"]:
    layers = [
        tuple(jnp.asarray(given[f"{seed} {part} {number}"]) for part in ("weights", "bias"))
        for number in (1, 2, 3)
    ]
    found[f"{seed} before"] = network(layers, images)
    memory, losses = optimizer.init(layers), []
    for batch in given[f"{seed} order"]:
        layers, memory, loss = step(layers, memory, batch)
        losses.append(loss)
    found[f"{seed} losses"] = losses
    found[f"{seed} after"] = network(layers, images)
    onnx.save(to_onnx(partial(network, layers), images[:2]), f"jax-{seed}.onnx")
np.savez("jax.npz", **found)
print(f"JAX {jax.__version__} on {jax.default_backend()}")
