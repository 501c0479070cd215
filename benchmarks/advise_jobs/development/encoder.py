"""A transformer encoder over tokens."""

import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(10000, 384)
        layer = nn.TransformerEncoderLayer(384, 6, 1536, batch_first=True, activation="gelu")
        self.layers = nn.TransformerEncoder(layer, 6)
        self.head = nn.Linear(384, 10000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layers(self.embed(x)))


def model() -> nn.Module:
    return Encoder()


def batch(n: int) -> torch.Tensor:
    return torch.randint(0, 10000, (n, 128))


def loss(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch).flatten(0, 1), batch.flatten())
