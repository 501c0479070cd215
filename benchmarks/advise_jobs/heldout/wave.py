"""Sound samples from gated, causal, dilated convolutions."""

import torch
from torch import nn


class Gate(nn.Module):
    def __init__(self, w: int, skip: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.wide = nn.Conv1d(w, 2 * w, 2, dilation=dilation)
        self.back, self.skip = nn.Conv1d(w, w, 1), nn.Conv1d(w, skip, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        value, gate = self.wide(nn.functional.pad(x, (self.dilation, 0))).chunk(2, 1)
        y = torch.tanh(value) * torch.sigmoid(gate)
        return x + self.back(y), self.skip(y)


class Wave(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(256, 48)
        self.gates = nn.ModuleList(Gate(48, 96, 2**i) for _ in range(2) for i in range(8))
        self.head = nn.Sequential(
            nn.ReLU(), nn.Conv1d(96, 128, 1), nn.ReLU(), nn.Conv1d(128, 256, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.embed(x).transpose(1, 2)
        skips = []
        for gate in self.gates:
            y, skip = gate(y)
            skips.append(skip)
        return self.head(torch.stack(skips).sum(0))


def model() -> nn.Module:
    return Wave()


def batch(n: int) -> torch.Tensor:
    return torch.randint(0, 256, (n, 2049))


def loss(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[:, :-1]), batch[:, 1:])
