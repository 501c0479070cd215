"""Three-dimensional convolutions over clips."""

import torch
from torch import nn


def model() -> nn.Module:
    return nn.Sequential(
        nn.Conv3d(3, 32, 3, (1, 2, 2), 1),
        nn.BatchNorm3d(32),
        nn.ReLU(),
        nn.Conv3d(32, 64, 3, 2, 1),
        nn.BatchNorm3d(64),
        nn.ReLU(),
        nn.Conv3d(64, 128, 3, 2, 1),
        nn.BatchNorm3d(128),
        nn.ReLU(),
        nn.AdaptiveAvgPool3d(1),
        nn.Flatten(),
        nn.Linear(128, 40),
    )


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 3, 8, 64, 64), torch.randint(0, 40, (n,))


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])
