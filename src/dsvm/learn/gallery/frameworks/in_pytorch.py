"""The network in PyTorch. In: given.npz. Out: pytorch.npz, and a file of ONNX for each seed."""

import numpy as np
import torch

given = np.load("given.npz")
device = "cuda" if torch.cuda.is_available() else "cpu"
torch.backends.cuda.matmul.allow_tf32 = False  # all digits of a number, also on a GPU
images = torch.from_numpy(given["images"]).to(device)
labels = torch.from_numpy(given["labels"]).to(device)
found = {}


def network(seed):
    layers = []
    for number in (1, 2, 3):
        weights, bias = given[f"{seed} weights {number}"], given[f"{seed} bias {number}"]
        layer = torch.nn.Linear(*weights.shape)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(weights.T))  # PyTorch keeps them turned
            layer.bias.copy_(torch.from_numpy(bias))
        layers += [layer, torch.nn.Tanh()]
    return torch.nn.Sequential(*layers[:-1]).to(device)


for seed in given["seeds"]:
    model = network(seed)
    found[f"{seed} before"] = model(images).detach().cpu().numpy()
    optimizer = torch.optim.SGD(model.parameters(), lr=float(given["rate"]), momentum=0.9)
    losses = []
    for batch in torch.from_numpy(given[f"{seed} order"]).to(device):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(images[batch]), labels[batch])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    found[f"{seed} losses"] = losses
    found[f"{seed} after"] = model(images).detach().cpu().numpy()
    torch.onnx.export(
        model.cpu().eval(),
        (images[:2].cpu(),),
        f"pytorch-{seed}.onnx",
        input_names=["pixels"],
        output_names=["scores"],
        dynamic_shapes=({0: torch.export.Dim("pictures")},),
        external_data=False,
        verbose=False,
    )
np.savez("pytorch.npz", **found)
print(f"PyTorch {torch.__version__} on {device}")
