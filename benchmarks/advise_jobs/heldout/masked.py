"""A masked language model with two segments and a pooled next-sentence head."""

import torch
from torch import nn


class Layer(nn.Module):
    def __init__(self, w: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(w, 3 * w), nn.Linear(w, w)
        self.up, self.down = nn.Linear(w, 4 * w), nn.Linear(4 * w, w)
        self.n1, self.n2 = nn.LayerNorm(w, eps=1e-12), nn.LayerNorm(w, eps=1e-12)
        self.drop = nn.Dropout(0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        y = nn.functional.scaled_dot_product_attention(q, k, v)
        x = self.n1(x + self.drop(self.out(y.transpose(1, 2).flatten(2))))
        return self.n2(x + self.drop(self.down(nn.functional.gelu(self.up(x)))))


class Masked(nn.Module):
    def __init__(self, words: int, length: int, w: int, heads: int, layers: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, w, padding_idx=0)
        self.place, self.segment = nn.Embedding(length, w), nn.Embedding(2, w)
        self.start = nn.Sequential(nn.LayerNorm(w, eps=1e-12), nn.Dropout(0.1))
        self.layers = nn.Sequential(*(Layer(w, heads) for _ in range(layers)))
        self.pooler = nn.Sequential(nn.Linear(w, w), nn.Tanh(), nn.Linear(w, 2))
        self.change = nn.Sequential(nn.Linear(w, w), nn.GELU(), nn.LayerNorm(w, eps=1e-12))
        self.head = nn.Linear(w, words)
        self.head.weight = self.embed.weight

    def forward(
        self, words: torch.Tensor, segments: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.embed(words) + self.segment(segments) + self.place(torch.arange(words.shape[1]))
        x = self.layers(self.start(x))
        return self.head(self.change(x)), self.pooler(x[:, 0])


def model() -> nn.Module:
    return Masked(words=10000, length=128, w=384, heads=6, layers=6)


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    return (
        torch.randint(1, 10000, (n, 128)),
        torch.randint(0, 2, (n, 128)),
        torch.randint(1, 10000, (n, 128)),
        torch.randint(0, 2, (n,)),
    )


def loss(
    model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
) -> torch.Tensor:
    words, segments, truth, follows = batch
    masked = torch.arange(words.shape[1]) % 7 == 3
    guess, pooled = model(words.masked_fill(masked, 3), segments)
    target = truth.masked_fill(~masked, -100)
    return nn.functional.cross_entropy(
        guess.flatten(0, 1), target.flatten(), ignore_index=-100
    ) + nn.functional.cross_entropy(pooled, follows)
