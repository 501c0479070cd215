"""Speech-like: one-dimensional convolutions, then a bidirectional GRU."""

import torch
from torch import nn


class Speech(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.front = nn.Sequential(
            nn.Conv1d(80, 256, 5, 2, 2),
            nn.BatchNorm1d(256),
            nn.ReLU(),
            nn.Conv1d(256, 256, 5, 2, 2),
            nn.BatchNorm1d(256),
            nn.ReLU(),
        )
        self.gru = nn.GRU(256, 256, 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(512, 40)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.gru(self.front(x).transpose(1, 2))[0])


def model() -> nn.Module:
    return Speech()


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 80, 400), torch.randint(0, 40, (n, 100))


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]).flatten(0, 1), batch[1].flatten())
