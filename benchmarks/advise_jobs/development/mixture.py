"""A language model with soft mixture-of-experts layers."""

import torch
from torch import nn


class Experts(nn.Module):
    def __init__(self, w: int, count: int) -> None:
        super().__init__()
        self.gate = nn.Linear(w, count)
        self.up = nn.Parameter(torch.randn(count, w, 2 * w) * 0.02)
        self.down = nn.Parameter(torch.randn(count, 2 * w, w) * 0.02)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        share = self.gate(x).softmax(-1)
        hidden = nn.functional.silu(torch.einsum("btw,ewh->bteh", x, self.up))
        return torch.einsum("bteh,ehw,bte->btw", hidden, self.down, share)


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(4000, 192)
        self.attend = nn.ModuleList(
            nn.MultiheadAttention(192, 4, batch_first=True) for _ in range(3)
        )
        self.experts = nn.ModuleList(Experts(192, 4) for _ in range(3))
        self.head = nn.Linear(192, 4000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x)
        for attend, experts in zip(self.attend, self.experts, strict=True):
            x = x + attend(x, x, x, need_weights=False)[0]
            x = x + experts(x)
        return self.head(x)


def model() -> nn.Module:
    return Model()


def batch(n: int) -> torch.Tensor:
    return torch.randint(0, 4000, (n, 129))


def loss(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
