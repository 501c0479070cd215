"""A vision transformer."""

import torch
from torch import nn


class Vit(nn.Module):
    def __init__(self, w: int = 256, heads: int = 8) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, w, 8, 8)
        self.cls = nn.Parameter(torch.zeros(1, 1, w))
        self.place = nn.Parameter(torch.zeros(1, 197, w))
        layer = nn.TransformerEncoderLayer(
            w, heads, 4 * w, dropout=0.0, batch_first=True, norm_first=True, activation="gelu"
        )
        self.layers = nn.TransformerEncoder(layer, 6, enable_nested_tensor=False)
        self.head = nn.Linear(w, 100)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1) + self.place
        return self.head(self.layers(x)[:, 0])


def model() -> nn.Module:
    return Vit()


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 3, 112, 112), torch.randint(0, 100, (n,))


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])
