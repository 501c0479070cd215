"""Message passing on a fixed random graph of 20000 edges."""

import torch
from torch import nn


class Message(nn.Module):
    def __init__(self, w: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2 * w, w), nn.ReLU(), nn.Linear(w, w))
        self.update = nn.GRUCell(w, w)

    def forward(self, x: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
        sent = self.body(torch.cat([x[edges[0]], x[edges[1]]], 1))
        return self.update(torch.zeros_like(x).index_add(0, edges[1], sent), x)


class Graph(nn.Module):
    def __init__(self, w: int = 96) -> None:
        super().__init__()
        self.enter, self.leave = nn.Linear(32, w), nn.Linear(w, 7)
        self.layers = nn.ModuleList(Message(w) for _ in range(3))

    def forward(self, pair: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        x, edges = pair
        x = self.enter(x)
        for layer in self.layers:
            x = layer(x, edges)
        return self.leave(x)


def model() -> nn.Module:
    return Graph()


def batch(n: int) -> tuple[tuple[torch.Tensor, torch.Tensor], torch.Tensor]:
    nodes = 400 * n
    x, edges = torch.randn(nodes, 32), torch.randint(0, nodes, (2, 2000 * n))
    return (x, edges), torch.randint(0, 7, (nodes,))


def loss(
    model: nn.Module, batch: tuple[tuple[torch.Tensor, torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])
