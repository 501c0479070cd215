"""A language model on a bidirectional-free three-layer LSTM with a projection."""

import torch
from torch import nn


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(5000, 192)
        self.drop = nn.Dropout(0.2)
        self.lstm = nn.LSTM(192, 320, 3, dropout=0.2)
        self.head = nn.Linear(320, 5000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(self.drop(self.embed(x.t())))[0]).transpose(0, 1)


def model() -> nn.Module:
    return Words()


def batch(n: int) -> torch.Tensor:
    return torch.randint(0, 5000, (n, 61))


def loss(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
