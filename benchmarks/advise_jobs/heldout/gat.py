"""A graph attention network on batches of graphs with a dense adjacency."""

import torch
from torch import nn

NODES = 96


class Attend(nn.Module):
    def __init__(self, a: int, heads: int, size: int) -> None:
        super().__init__()
        self.heads = heads
        self.mix = nn.Linear(a, heads * size, bias=False)
        self.here = nn.Parameter(torch.randn(heads, size) * 0.1)
        self.there = nn.Parameter(torch.randn(heads, size) * 0.1)

    def forward(self, x: torch.Tensor, edge: torch.Tensor) -> torch.Tensor:
        y = self.mix(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        here = (y * self.here[:, None]).sum(-1)
        there = (y * self.there[:, None]).sum(-1)
        score = nn.functional.leaky_relu(here[..., :, None] + there[..., None, :], 0.2)
        share = score.masked_fill(~edge[:, None], -1e4).softmax(-1)
        share = nn.functional.dropout(share, 0.2, self.training)
        return torch.matmul(share, y.to(share.dtype)).transpose(1, 2).flatten(2)


class Gat(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Attend(64, 8, 32), Attend(256, 8, 32)
        self.third = Attend(256, 4, 64)
        self.head = nn.Linear(256, 7)

    def forward(self, x: torch.Tensor, edge: torch.Tensor) -> torch.Tensor:
        y = nn.functional.elu(self.first(x, edge))
        y = y + nn.functional.elu(self.second(y, edge))
        return self.head(y + nn.functional.elu(self.third(y, edge)))


def model() -> nn.Module:
    return Gat()


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    edge = (torch.randint(0, 8, (n, NODES, NODES)) == 0) | torch.eye(NODES).bool()
    return torch.randn(n, NODES, 64), edge, torch.randint(0, 7, (n, NODES))


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> torch.Tensor:
    x, edge, label = batch
    return nn.functional.cross_entropy(model(x, edge).flatten(0, 1), label.flatten())
