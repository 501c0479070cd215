"""Grouped convolutions in bottlenecks."""

import torch
from torch import nn


class Bottleneck(nn.Module):
    def __init__(self, i: int, w: int, o: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(i, w, 1, bias=False),
            nn.BatchNorm2d(w),
            nn.ReLU(True),
            nn.Conv2d(w, w, 3, stride, 1, groups=16, bias=False),
            nn.BatchNorm2d(w),
            nn.ReLU(True),
            nn.Conv2d(w, o, 1, bias=False),
            nn.BatchNorm2d(o),
        )
        self.skip = nn.Conv2d(i, o, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.relu(self.body(x) + self.skip(x))


def model() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, 2, 1),
        nn.BatchNorm2d(64),
        nn.ReLU(True),
        Bottleneck(64, 128, 256, 1),
        Bottleneck(256, 128, 256, 1),
        Bottleneck(256, 256, 512, 2),
        Bottleneck(512, 256, 512, 1),
        Bottleneck(512, 512, 1024, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(1024, 50),
    )


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 3, 80, 80), torch.randint(0, 50, (n,))


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])
