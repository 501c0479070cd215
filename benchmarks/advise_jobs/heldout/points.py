"""Classes of point clouds: shared perceptrons, learned turns and a maximum over the points."""

import torch
from torch import nn


def shared(inputs: int, *widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for outputs in widths:
        layers += [nn.Conv1d(inputs, outputs, 1), nn.BatchNorm1d(outputs), nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*layers)


class Turn(nn.Module):
    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k
        self.each = shared(k, 64, 128, 512)
        self.whole = nn.Sequential(
            nn.Linear(512, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, k * k)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        turn = self.whole(self.each(x).amax(2)).unflatten(1, (self.k, self.k))
        return torch.bmm(turn + torch.eye(self.k), x)


class Points(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(Turn(3), shared(3, 64, 64))
        self.second = nn.Sequential(Turn(64), shared(64, 64, 128, 1024))
        self.head = nn.Sequential(
            nn.Linear(1024, 512),
            nn.BatchNorm1d(512),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(512, 40),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.second(self.first(x)).max(2).values)


def model() -> nn.Module:
    return Points()


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 3, 1024), torch.randint(0, 40, (n,))


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])
