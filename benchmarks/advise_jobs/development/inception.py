"""Parallel branches of several kernel sizes."""

import torch
from torch import nn


class Branches(nn.Module):
    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        q = o // 4
        self.branches = nn.ModuleList(
            [
                nn.Conv2d(i, q, 1),
                nn.Sequential(nn.Conv2d(i, q, 1), nn.ReLU(), nn.Conv2d(q, q, 3, padding=1)),
                nn.Sequential(nn.Conv2d(i, q, 1), nn.ReLU(), nn.Conv2d(q, q, 5, padding=2)),
                nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(i, q, 1)),
            ]
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(torch.cat([branch(x) for branch in self.branches], 1))


def model() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 64, 5, 2, 2),
        nn.ReLU(),
        nn.LocalResponseNorm(5),
        Branches(64, 128),
        Branches(128, 192),
        nn.MaxPool2d(2),
        Branches(192, 256),
        Branches(256, 320),
        nn.MaxPool2d(2),
        Branches(320, 512),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.4),
        nn.Linear(512, 100),
    )


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 3, 112, 112), torch.randint(0, 100, (n,))


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])
