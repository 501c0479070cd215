"""A llama-like decoder: grouped-query attention, rotary positions, SwiGLU and RMS norm."""

import torch
from torch import nn

VOCAB, WIDTH, HEADS, GROUPS, SIZE = 10000, 384, 6, 2, 64


def spin(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat((-b, a), -1) * sin


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.n1, self.n2 = nn.RMSNorm(WIDTH), nn.RMSNorm(WIDTH)
        self.q = nn.Linear(WIDTH, HEADS * SIZE, bias=False)
        self.k = nn.Linear(WIDTH, GROUPS * SIZE, bias=False)
        self.v = nn.Linear(WIDTH, GROUPS * SIZE, bias=False)
        self.o = nn.Linear(HEADS * SIZE, WIDTH, bias=False)
        self.gate, self.up = (nn.Linear(WIDTH, 1024, bias=False) for _ in range(2))
        self.down = nn.Linear(1024, WIDTH, bias=False)

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        y = self.n1(x)
        q = spin(self.q(y).unflatten(-1, (HEADS, SIZE)).transpose(1, 2), cos, sin)
        k = spin(self.k(y).unflatten(-1, (GROUPS, SIZE)).transpose(1, 2), cos, sin)
        v = self.v(y).unflatten(-1, (GROUPS, SIZE)).transpose(1, 2)
        k = k.repeat_interleave(HEADS // GROUPS, 1).to(v.dtype)
        v = v.repeat_interleave(HEADS // GROUPS, 1)
        y = nn.functional.scaled_dot_product_attention(q.to(v.dtype), k, v, is_causal=True)
        x = x + self.o(y.transpose(1, 2).flatten(2))
        y = self.n2(x)
        return x + self.down(nn.functional.silu(self.gate(y)) * self.up(y))


class Llama(nn.Module):
    cos: torch.Tensor
    sin: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(VOCAB, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(6))
        self.norm = nn.RMSNorm(WIDTH)
        self.head = nn.Linear(WIDTH, VOCAB, bias=False)
        rate = 10000.0 ** (-torch.arange(0, SIZE, 2) / SIZE)
        angle = torch.arange(256)[:, None] * torch.cat((rate, rate))
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        cos, sin = self.cos[: x.shape[1]], self.sin[: x.shape[1]]
        y = self.embed(x)
        for layer in self.layers:
            y = layer(y, cos, sin)
        return self.head(self.norm(y))


def model() -> nn.Module:
    return Llama()


def batch(n: int) -> torch.Tensor:
    return torch.randint(0, VOCAB, (n, 129))


def loss(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
