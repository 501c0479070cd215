"""A text classifier with parallel convolutions and the maximum over time."""

import torch
from torch import nn


class Kim(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(30000, 200, padding_idx=0)
        self.convs = nn.ModuleList(nn.Conv1d(200, 160, k) for k in (2, 3, 4, 5))
        self.drop, self.head = nn.Dropout(0.5), nn.Linear(640, 12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.embed(x).transpose(1, 2)
        tops = [nn.functional.relu(conv(y)).amax(-1) for conv in self.convs]
        return self.head(self.drop(torch.cat(tops, -1)))


def model() -> nn.Module:
    return Kim()


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randint(0, 30000, (n, 120)), torch.randint(0, 12, (n,))


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])
