"""A training that may be ended at any moment and goes on where it was.

    dsvm cp src/dsvm/tools/pytorch/samples :digits
    dsvm run --resumable -- /opt/dsvm/envs/pytorch/bin/python digits/resumable.py

It keeps all that the next step depends on: weights, the optimizer's state, the random numbers' and
the step. So the losses are those of a training that nobody has interrupted.
"""

import argparse
import os
import signal
import time
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--folder", type=Path, default=HERE / "trained")
    parser.add_argument("--every", type=float, default=5.0, metavar="SECONDS")
    parser.add_argument("--pause", type=float, default=0.0, metavar="SECONDS", help="after a step")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    kept, curve = asked.folder / "checkpoint.pt", asked.folder / "losses.csv"

    digits = np.load(HERE / "digits.npz")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images = torch.from_numpy(digits["images"].astype("float32") / 16).flatten(1).to(device)
    labels = torch.from_numpy(digits["labels"].astype("int64")).to(device)
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10)
    ).to(device)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    losses: list[float] = []

    if kept.exists():
        there = torch.load(kept, map_location=device, weights_only=True)
        model.load_state_dict(there["model"])
        optimizer.load_state_dict(there["optimizer"])
        torch.set_rng_state(there["random"].cpu())
        losses = there["losses"]
        print(f"goes on after step {len(losses)} on {device}")
    else:
        print(f"begins on {device}")

    def keep() -> None:
        # Written beside it and moved: whenever it is ended, one whole checkpoint is there.
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "losses": losses,
        }
        new = kept.with_suffix(".new")
        with new.open("wb") as file:
            torch.save(state, file)
            os.fsync(file.fileno())
        new.replace(kept)
        curve.write_text("".join(f"{step},{loss}\n" for step, loss in enumerate(losses, 1)))

    ended = []
    signal.signal(signal.SIGTERM, lambda number, frame: ended.append(number))
    last = time.monotonic()
    while len(losses) < asked.steps and not ended:
        # On the CPU, so that it is the same with and without a GPU.
        batch = torch.randint(len(images), (BATCH,)).to(device)
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(images[batch]), labels[batch])
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
        if len(losses) % 100 == 0:
            print(f"step {len(losses)}: loss {sum(losses[-100:]) / 100:.4f}")
        if time.monotonic() - last > asked.every:
            keep()
            last = time.monotonic()
        time.sleep(asked.pause)
    keep()
    print(f"asked to end after step {len(losses)}" if ended else f"trained {len(losses)} steps")


if __name__ == "__main__":
    main()
