"""A GPT with learned positions and tied embeddings."""

import torch
from torch import nn


class Layer(nn.Module):
    def __init__(self, w: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.n1, self.n2 = nn.LayerNorm(w), nn.LayerNorm(w)
        self.q, self.k, self.v, self.o = (nn.Linear(w, w) for _ in range(4))
        self.body = nn.Sequential(nn.Linear(w, 4 * w), nn.GELU("tanh"), nn.Linear(4 * w, w))

    def split(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.n1(x)
        y = nn.functional.scaled_dot_product_attention(
            self.split(self.q(y)), self.split(self.k(y)), self.split(self.v(y)), is_causal=True
        )
        x = x + self.o(y.transpose(1, 2).flatten(2))
        return x + self.body(self.n2(x))


class Gpt(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(8000, 320), nn.Embedding(256, 320)
        self.layers = nn.Sequential(*(Layer(320, 5) for _ in range(6)), nn.LayerNorm(320))
        self.head = nn.Linear(320, 8000, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layers(self.embed(x) + self.place(torch.arange(x.shape[1]))))


def model() -> nn.Module:
    return Gpt()


def batch(n: int) -> torch.Tensor:
    return torch.randint(0, 8000, (n, 193))


def loss(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
