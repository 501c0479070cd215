"""A language model of GRU layers, its embedding tied to its output."""

import torch
from torch import nn


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(12000, 384)
        self.gru = nn.GRU(384, 512, num_layers=2, dropout=0.2, batch_first=True)
        self.shrink = nn.Linear(512, 384)
        self.head = nn.Linear(384, 12000)
        self.head.weight = self.embed.weight
        self.drop = nn.Dropout(0.2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, _ = self.gru(self.drop(self.embed(x)))
        return self.head(self.shrink(self.drop(y)))


def model() -> nn.Module:
    return Words()


def batch(n: int) -> torch.Tensor:
    return torch.randint(0, 12000, (n, 49))


def loss(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
