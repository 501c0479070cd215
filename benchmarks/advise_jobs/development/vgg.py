"""A plain deep convolutional network with large dense layers."""

import torch
from torch import nn


def model() -> nn.Module:
    layers: list[nn.Module] = []
    width = 3
    for out in (64, 64, 0, 128, 128, 0, 256, 256, 0, 512, 0):
        if out:
            layers += [nn.Conv2d(width, out, 3, padding=1), nn.ReLU(inplace=True)]
            width = out
        else:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(
        *layers,
        nn.Flatten(),
        nn.Linear(512 * 16, 2048),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(2048, 10),
    )


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 3, 64, 64), torch.randint(0, 10, (n,))


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])
