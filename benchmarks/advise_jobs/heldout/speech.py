"""A speech model: strided convolutions, a bidirectional LSTM and a label for each frame."""

import torch
from torch import nn


class Speech(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.front = nn.Sequential(
            nn.Conv2d(1, 32, (5, 5), (2, 2), (2, 2)),
            nn.BatchNorm2d(32),
            nn.Hardtanh(0.0, 20.0),
            nn.Conv2d(32, 32, (5, 3), (2, 2), (2, 1)),
            nn.BatchNorm2d(32),
            nn.Hardtanh(0.0, 20.0),
        )
        self.read = nn.LSTM(640, 320, 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(640, 60)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.front(x[:, None]).permute(0, 3, 1, 2).flatten(2)
        return self.head(self.read(y)[0])


def model() -> nn.Module:
    return Speech()


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 80, 320), torch.randint(0, 60, (n, 80))


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]).flatten(0, 1), batch[1].flatten())
