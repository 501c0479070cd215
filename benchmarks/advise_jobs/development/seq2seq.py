"""A translation transformer: encoder, decoder, masks."""

import torch
from torch import nn


class Translate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(6000, 256), nn.Embedding(6000, 256)
        self.body = nn.Transformer(256, 4, 3, 3, 1024, dropout=0.1, batch_first=True)
        self.head = nn.Linear(256, 6000)

    def forward(self, pair: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        source, target = pair
        mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        return self.head(self.body(self.source(source), self.target(target), tgt_mask=mask))


def model() -> nn.Module:
    return Translate()


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randint(0, 6000, (n, 80)), torch.randint(0, 6000, (n, 65))


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    source, target = batch
    out = model((source, target[:, :-1]))
    return nn.functional.cross_entropy(out.flatten(0, 1), target[:, 1:].flatten())
