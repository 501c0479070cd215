"""The network in Keras on TensorFlow. In: given.npz. Out: tensorflow.npz, and files of ONNX."""

import keras
import numpy as np
import tensorflow as tf

given = np.load("given.npz")
tf.config.experimental.enable_tensor_float_32_execution(False)  # all digits, also on a GPU
images, labels = tf.constant(given["images"]), tf.constant(given["labels"])
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
found = {}


def network(seed):
    weights = [
        given[f"{seed} {part} {number}"] for number in (1, 2, 3) for part in ("weights", "bias")
    ]
    layers = [
        keras.layers.Dense(bias.size, activation=activation)
        for bias, activation in zip(weights[1::2], ("tanh", "tanh", None), strict=True)
    ]
    model = keras.Sequential([keras.Input((images.shape[1],), name="pixels"), *layers])
    model.set_weights(weights)
    return model


for seed in given["seeds"]:
    model = network(seed)
    found[f"{seed} before"] = model(images).numpy()
    optimizer = keras.optimizers.SGD(float(given["rate"]), momentum=0.9)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(batch, model=model, optimizer=optimizer):
        with tf.GradientTape() as tape:
            scores = model(tf.gather(images, batch), training=True)
            loss = cross_entropy(tf.gather(labels, batch), scores)
        slopes = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(slopes, model.trainable_variables, strict=True))
        return loss

    found[f"{seed} losses"] = [step(batch).numpy() for batch in tf.constant(given[f"{seed} order"])]
    found[f"{seed} after"] = model(images).numpy()
    model.export(f"tensorflow-{seed}.onnx", format="onnx", verbose=False)
np.savez("tensorflow.npz", **found)
device = "cuda" if tf.config.list_physical_devices("GPU") else "cpu"
print(f"Keras {keras.__version__} on TensorFlow {tf.__version__} on {device}")
