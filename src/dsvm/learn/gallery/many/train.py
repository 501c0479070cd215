"""The training that all ways share: a small network reads digits, in numpy alone.

`gradient` looks at one part of the pictures. `train` does not know where the parts are: whoever
calls it says how their gradients are summed up. Called as a program it does so alone, one part
after the other.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

SIZES = (64, 256, 10)
PARTS, STEPS, RATE, MOMENTUM = 4, 30, 1.0, 0.9
SEEDS, KILL_AT = (0, 1, 2), 18
ENDS = np.cumsum([SIZES[0] * SIZES[1], SIZES[1], SIZES[1] * SIZES[2], SIZES[2]])


def parts():
    """The pictures to learn from, in equal parts: pairs of images and labels."""
    data = np.load("digits.npz")
    return list(
        zip(
            np.array_split(data["images"], PARTS),
            np.array_split(data["labels"], PARTS),
            strict=True,
        )
    )


def layers(weights):
    first, bias, second, other = np.split(weights, ENDS[:-1])
    return first.reshape(SIZES[:2]), bias, second.reshape(SIZES[1:]), other


def answers(weights, images):
    """The hidden layer, and how likely each digit is."""
    first, bias, second, other = layers(weights)
    hidden = np.maximum(images @ first + bias, 0)
    scores = hidden @ second + other
    likely = np.exp(scores - scores.max(axis=1, keepdims=True))
    return hidden, likely / likely.sum(axis=1, keepdims=True)


def gradient(weights, images, labels):
    """The sum over these pictures: of the gradient, and (the last number) of the loss."""
    rows = np.arange(len(labels))
    hidden, likely = answers(weights, images)
    loss = -np.log(likely[rows, labels]).sum()
    likely[rows, labels] -= 1
    below = (likely @ layers(weights)[2].T) * (hidden > 0)
    found = (images.T @ below, below.sum(axis=0), hidden.T @ likely, likely.sum(axis=0), loss)
    return np.concatenate([np.ravel(one) for one in found])


def fresh(seed):
    """Where a training begins; whoever keeps it can go on from it."""
    draw = np.random.default_rng(seed)
    first = draw.normal(0, np.sqrt(2 / SIZES[0]), SIZES[0] * SIZES[1])
    second = draw.normal(0, np.sqrt(2 / SIZES[1]), SIZES[1] * SIZES[2])
    weights = np.concatenate([first, np.zeros(SIZES[1]), second, np.zeros(SIZES[2])])
    return {"step": 0, "weights": weights, "speed": np.zeros_like(weights)}


def train(summed, pictures, state, note=None):
    """`summed(weights, step)`: what `gradient` finds, summed over all parts."""
    while state["step"] < STEPS:
        mean = summed(state["weights"], state["step"]) / pictures
        state["speed"] = MOMENTUM * state["speed"] - RATE * mean[:-1]
        state["weights"] = state["weights"] + state["speed"]
        state["step"] += 1
        if note:
            note(state, mean[-1])


def run(name, summed, pictures, seeds=SEEDS, state=None, note=None):
    """Train from each seed, keep the weights; the seconds that each took."""
    took = []
    for seed in seeds:
        began = time.perf_counter()
        state = state or fresh(seed)
        with Path(f"{name}.csv").open("a") as log:

            def told(now, loss, log=log):
                print(time.time(), now["step"], loss, sep=",", file=log, flush=True)
                if note:
                    note(now)

            train(summed, pictures, state, told)
        np.save(f"{name}-{seed}.npy", state["weights"])
        took.append(time.perf_counter() - began)
        state = None
    return took


def tell(**found):
    print(json.dumps(found))


def asked():
    """Address, number of workers, and whether one of them is to be killed."""
    return sys.argv[1], int(sys.argv[2]), sys.argv[3:] == ["kill"]


if __name__ == "__main__":
    all_parts = parts()
    took = run(
        "one",
        lambda weights, step: sum(gradient(weights, *part) for part in all_parts),
        sum(len(labels) for _, labels in all_parts),
    )
    tell(seconds=took)
