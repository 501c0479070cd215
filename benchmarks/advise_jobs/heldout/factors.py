"""Ratings from factors multiplied and a deep perceptron over bags of embeddings."""

import torch
from torch import nn


class Factors(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.user, self.item = nn.Embedding(60000, 64), nn.Embedding(30000, 64)
        self.user_bias, self.item_bias = nn.Embedding(60000, 1), nn.Embedding(30000, 1)
        self.history = nn.EmbeddingBag(30000, 96, mode="mean")
        self.tags = nn.EmbeddingBag(5000, 32, mode="mean")
        self.deep = nn.Sequential(
            nn.Linear(256, 1024),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(1024, 512),
            nn.ReLU(),
            nn.Linear(512, 128),
            nn.ReLU(),
            nn.Linear(128, 1),
        )

    def forward(
        self, user: torch.Tensor, item: torch.Tensor, history: torch.Tensor, tags: torch.Tensor
    ) -> torch.Tensor:
        u, i = self.user(user), self.item(item)
        plain = (
            (u * i).sum(-1) + self.user_bias(user).squeeze(-1) + self.item_bias(item).squeeze(-1)
        )
        deep = self.deep(torch.cat((u, i, self.history(history), self.tags(tags)), 1))
        return plain + deep.squeeze(-1)


Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def model() -> nn.Module:
    return Factors()


def batch(n: int) -> Batch:
    return (
        torch.randint(0, 60000, (n,)),
        torch.randint(0, 30000, (n,)),
        torch.randint(0, 30000, (n, 40)),
        torch.randint(0, 5000, (n, 8)),
        torch.randn(n),
    )


def loss(model: nn.Module, batch: Batch) -> torch.Tensor:
    return nn.functional.mse_loss(model(*batch[:4]), batch[4])
