"""Text classification by a two-layer LSTM."""

import torch
from torch import nn


class Reader(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20000, 256)
        self.lstm = nn.LSTM(256, 512, 2, batch_first=True)
        self.head = nn.Linear(512, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.lstm(self.embed(x))
        return self.head(states[:, -1])


def model() -> nn.Module:
    return Reader()


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randint(0, 20000, (n, 100)), torch.randint(0, 5, (n,))


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])
