"""Factorisation of many categories, with a wide and a deep part."""

import torch
from torch import nn


class Wide(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(30000, 24) for _ in range(16))
        self.wide = nn.Linear(16 * 24 + 13, 1)
        self.deep = nn.Sequential(
            nn.Linear(16 * 24 + 13, 1024),
            nn.BatchNorm1d(1024),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(1024, 512),
            nn.BatchNorm1d(512),
            nn.ReLU(),
            nn.Linear(512, 1),
        )

    def forward(self, pair: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        categories, numbers = pair
        found = [table(categories[:, at]) for at, table in enumerate(self.tables)]
        x = torch.cat([*found, numbers], 1)
        return self.wide(x) + self.deep(x)


def model() -> nn.Module:
    return Wide()


def batch(n: int) -> tuple[tuple[torch.Tensor, torch.Tensor], torch.Tensor]:
    return (torch.randint(0, 30000, (n, 16)), torch.randn(n, 13)), torch.rand(n, 1).round()


def loss(
    model: nn.Module, batch: tuple[tuple[torch.Tensor, torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    return nn.functional.binary_cross_entropy_with_logits(model(batch[0]), batch[1])
