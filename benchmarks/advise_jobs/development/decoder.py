"""A small causal language model: RMS norm, rotary positions, gated feed-forward."""

import torch
from torch import nn


class Layer(nn.Module):
    def __init__(self, w: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.n1, self.n2 = nn.RMSNorm(w), nn.RMSNorm(w)
        self.qkv, self.o = nn.Linear(w, 3 * w, bias=False), nn.Linear(w, w, bias=False)
        self.up, self.gate = nn.Linear(w, 3 * w, bias=False), nn.Linear(w, 3 * w, bias=False)
        self.down = nn.Linear(3 * w, w, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, t, w = x.shape
        q, k, v = self.qkv(self.n1(x)).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        x = x + self.o(
            nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            .transpose(1, 2)
            .reshape(b, t, w)
        )
        y = self.n2(x)
        return x + self.down(nn.functional.silu(self.gate(y)) * self.up(y))


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(16000, 512)
        self.layers = nn.ModuleList(Layer(512, 8) for _ in range(8))
        self.norm, self.head = nn.RMSNorm(512), nn.Linear(512, 16000, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x)
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))


def model() -> nn.Module:
    return Decoder()


def batch(n: int) -> torch.Tensor:
    return torch.randint(0, 16000, (n, 256))


def loss(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
