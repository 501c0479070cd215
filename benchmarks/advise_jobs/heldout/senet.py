"""A ResNet-50-style classifier whose bottlenecks squeeze and excite."""

import torch
from torch import nn


class Excite(nn.Module):
    def __init__(self, w: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(w, w // 16, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(w // 16, w, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.body(x)


class Bottleneck(nn.Module):
    def __init__(self, a: int, w: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(a, w, 1, bias=False),
            nn.BatchNorm2d(w),
            nn.ReLU(inplace=True),
            nn.Conv2d(w, w, 3, stride, 1, bias=False),
            nn.BatchNorm2d(w),
            nn.ReLU(inplace=True),
            nn.Conv2d(w, 4 * w, 1, bias=False),
            nn.BatchNorm2d(4 * w),
            Excite(4 * w),
        )
        self.skip = (
            nn.Sequential(nn.Conv2d(a, 4 * w, 1, stride, bias=False), nn.BatchNorm2d(4 * w))
            if stride != 1 or a != 4 * w
            else nn.Identity()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.relu(self.body(x) + self.skip(x), inplace=True)


def stage(a: int, w: int, depth: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        Bottleneck(a, w, stride), *(Bottleneck(4 * w, w, 1) for _ in range(depth - 1))
    )


def model() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
        stage(64, 64, 3, 1),
        stage(256, 128, 4, 2),
        stage(512, 256, 6, 2),
        stage(1024, 512, 3, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2048, 500),
    )


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 3, 112, 112), torch.randint(0, 500, (n,))


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])
