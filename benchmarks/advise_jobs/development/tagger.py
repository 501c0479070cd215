"""Tags words by a bidirectional LSTM."""

import torch
from torch import nn


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(12000, 128)
        self.lstm = nn.LSTM(128, 192, batch_first=True, bidirectional=True)
        self.head = nn.Linear(384, 30)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(self.embed(x))[0])


def model() -> nn.Module:
    return Tagger()


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randint(0, 12000, (n, 60)), torch.randint(0, 30, (n, 60))


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]).flatten(0, 1), batch[1].flatten())
