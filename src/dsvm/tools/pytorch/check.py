"""A network learns handwritten digits: loss and accuracy pass a bar, on the device expected."""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch

if sys.prefix != "/opt/dsvm/envs/pytorch":
    sys.exit(f"this is the Python of {sys.prefix}, not of /opt/dsvm/envs/pytorch")
expected = "cuda" if os.environ.get("DSVM_VARIANT") == "nvidia" else "cpu"
if expected == "cuda" and not torch.cuda.is_available():
    sys.exit("the nvidia build is mounted, but torch sees no GPU")
major, minor = map(int, np.__version__.split(".")[:2])
assert (major, minor) < (2, 3), f"numpy {np.__version__}: this environment holds it below 2.3"

digits = np.load(Path(os.environ["DSVM_SAMPLES"]) / "digits.npz")
torch.manual_seed(0)
device = torch.device(expected)
images = torch.from_numpy(digits["images"].astype("float32") / 16).unsqueeze(1).to(device)
labels = torch.from_numpy(digits["labels"].astype("int64")).to(device)
assert images.shape == (1797, 1, 8, 8), images.shape
order = torch.randperm(len(images))
seen, unseen = order[:1400], order[1400:]
model = torch.nn.Sequential(
    torch.nn.Conv2d(1, 16, 3, padding=1),
    torch.nn.ReLU(),
    torch.nn.Flatten(),
    torch.nn.Linear(16 * 64, 64),
    torch.nn.ReLU(),
    torch.nn.Linear(64, 10),
).to(device)
optimizer = torch.optim.Adam(model.parameters(), 2e-3)
losses = []
begin = time.perf_counter()
for _ in range(12):
    for batch in seen[torch.randperm(len(seen))].split(64):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(images[batch]), labels[batch])
        loss.backward()
        optimizer.step()
    losses.append(float(loss))
seconds = time.perf_counter() - begin
with torch.no_grad():
    accuracy = float((model(images[unseen]).argmax(1) == labels[unseen]).float().mean())
assert losses[-1] < losses[0] / 2, f"the loss went from {losses[0]:.3f} to {losses[-1]:.3f} only"
assert accuracy > 0.95, f"accuracy {accuracy:.3f}, more than 0.95 is demanded"
used = next(model.parameters()).device.type
assert used == expected, f"it ran on {used}, expected {expected}"
print(
    json.dumps(
        {
            "device": used,
            "accuracy": round(accuracy, 4),
            "train_s": round(seconds, 2),
            "versions": {"torch": torch.__version__, "numpy": np.__version__},
        }
    )
)
