"""A siamese image encoder trained on two views with InfoNCE over the batch."""

import torch
from torch import nn


def block(a: int, b: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(a, b, 3, 1, 1, bias=False),
        nn.GroupNorm(8, b),
        nn.SiLU(),
        nn.Conv2d(b, b, 3, 1, 1, bias=False),
        nn.GroupNorm(8, b),
        nn.SiLU(),
        nn.AvgPool2d(2),
    )


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            block(3, 24), block(24, 48), block(48, 96), block(96, 192), nn.AdaptiveAvgPool2d(1)
        )
        self.project = nn.Sequential(
            nn.Flatten(), nn.Linear(192, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 128)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(self.project(self.body(x)), dim=-1)


def model() -> nn.Module:
    return Encoder()


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 3, 48, 48), torch.randn(n, 3, 48, 48)


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    a, b = model(batch[0]), model(batch[1])
    score = torch.matmul(a, b.t()) / 0.1
    label = torch.arange(score.shape[0])
    there = nn.functional.cross_entropy(score, label)
    back = nn.functional.cross_entropy(score.t(), label)
    return (there + back) / 2
