"""Inverted residuals with squeeze and excitation, SiLU."""

import torch
from torch import nn


class Squeeze(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, width // 4, 1),
            nn.SiLU(),
            nn.Conv2d(width // 4, width, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.gate(x)


class Inverted(nn.Module):
    def __init__(self, i: int, o: int, stride: int) -> None:
        super().__init__()
        w = 4 * i
        self.same = stride == 1 and i == o
        self.body = nn.Sequential(
            nn.Conv2d(i, w, 1, bias=False),
            nn.BatchNorm2d(w),
            nn.SiLU(),
            nn.Conv2d(w, w, 5, stride, 2, groups=w, bias=False),
            nn.BatchNorm2d(w),
            nn.SiLU(),
            Squeeze(w),
            nn.Conv2d(w, o, 1, bias=False),
            nn.BatchNorm2d(o),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x) if self.same else self.body(x)


def model() -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24), nn.SiLU()]
    width = 24
    for out, stride in ((24, 1), (40, 2), (40, 1), (80, 2), (80, 1), (120, 2), (120, 1)):
        layers.append(Inverted(width, out, stride))
        width = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 200))


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 3, 112, 112), torch.randint(0, 200, (n,))


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])
