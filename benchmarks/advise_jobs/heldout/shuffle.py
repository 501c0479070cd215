"""Grouped pointwise convolutions with shuffled channels."""

import torch
from torch import nn


class Unit(nn.Module):
    def __init__(self, inputs: int, outputs: int, groups: int, stride: int) -> None:
        super().__init__()
        self.groups, self.stride = groups, stride
        middle = outputs // 4
        grown = outputs - inputs if stride == 2 else outputs
        self.reduce = nn.Sequential(
            nn.Conv2d(inputs, middle, 1, groups=groups, bias=False),
            nn.BatchNorm2d(middle),
            nn.ReLU(inplace=True),
        )
        self.depth = nn.Sequential(
            nn.Conv2d(middle, middle, 3, stride, 1, groups=middle, bias=False),
            nn.BatchNorm2d(middle),
        )
        self.grow = nn.Sequential(
            nn.Conv2d(middle, grown, 1, groups=groups, bias=False), nn.BatchNorm2d(grown)
        )
        self.pool = nn.AvgPool2d(3, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.reduce(x)
        y = y.unflatten(1, (self.groups, -1)).transpose(1, 2).flatten(1, 2)
        y = self.grow(self.depth(y))
        if self.stride == 2:
            return torch.relu(torch.cat((self.pool(x), y), 1))
        return torch.relu(x + y)


def stage(inputs: int, outputs: int, groups: int, repeats: int) -> nn.Sequential:
    return nn.Sequential(
        Unit(inputs, outputs, groups, 2),
        *(Unit(outputs, outputs, groups, 1) for _ in range(repeats)),
    )


def model() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 24, 3, 2, 1, bias=False),
        nn.BatchNorm2d(24),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
        stage(24, 240, 3, 3),
        stage(240, 480, 3, 7),
        stage(480, 960, 3, 3),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(960, 500),
    )


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 3, 192, 192), torch.randint(0, 500, (n,))


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])
