"""A Swin-like image classifier: attention in shifted windows, with patch merging."""

import torch
from torch import nn

SIDE = 4


class Window(nn.Module):
    place: torch.Tensor
    mask: torch.Tensor

    def __init__(self, w: int, heads: int, size: int, shift: int) -> None:
        super().__init__()
        self.heads, self.shift = heads, shift
        self.n1, self.n2 = nn.LayerNorm(w), nn.LayerNorm(w)
        self.qkv, self.o = nn.Linear(w, 3 * w), nn.Linear(w, w)
        self.body = nn.Sequential(nn.Linear(w, 4 * w), nn.GELU(), nn.Linear(4 * w, w))
        self.table = nn.Parameter(torch.zeros((2 * SIDE - 1) ** 2, heads))
        at = torch.cartesian_prod(torch.arange(SIDE), torch.arange(SIDE))
        gap = at[:, None] - at[None, :] + SIDE - 1
        self.register_buffer("place", gap[..., 0] * (2 * SIDE - 1) + gap[..., 1])
        zone = torch.zeros(size, dtype=torch.int64)
        if shift:
            zone[-SIDE:-shift], zone[-shift:] = 1, 2
        part = (zone[:, None] * 3 + zone[None, :])[None, :, :, None]
        parts = self.cut(part).squeeze(-1)
        apart = parts[:, None, :] != parts[:, :, None]
        self.register_buffer("mask", torch.zeros(apart.shape).masked_fill(apart, -100.0))

    def cut(self, x: torch.Tensor) -> torch.Tensor:
        n, h, w, c = x.shape
        x = x.view(n, h // SIDE, SIDE, w // SIDE, SIDE, c).transpose(2, 3)
        return x.reshape(-1, SIDE * SIDE, c)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, h, w, c = x.shape
        y = self.n1(x)
        if self.shift:
            y = torch.roll(y, (-self.shift, -self.shift), (1, 2))
        y = self.qkv(self.cut(y)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q, k, v = y.unbind(0)
        score = torch.matmul(q * q.shape[-1] ** -0.5, k.transpose(-1, -2))
        score = score + self.table[self.place].permute(2, 0, 1)
        if self.shift:
            score = score.unflatten(0, (n, -1)) + self.mask[None, :, None]
            score = score.flatten(0, 1)
        y = self.o(torch.matmul(score.softmax(-1), v).transpose(1, 2).flatten(2))
        y = y.view(n, h // SIDE, w // SIDE, SIDE, SIDE, c).transpose(2, 3).reshape(n, h, w, c)
        if self.shift:
            y = torch.roll(y, (self.shift, self.shift), (1, 2))
        x = x + y
        return x + self.body(self.n2(x))


class Merge(nn.Module):
    def __init__(self, w: int) -> None:
        super().__init__()
        self.norm, self.mix = nn.LayerNorm(4 * w), nn.Linear(4 * w, 2 * w, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = x[:, 0::2, 0::2], x[:, 1::2, 0::2]
        c, d = x[:, 0::2, 1::2], x[:, 1::2, 1::2]
        return self.mix(self.norm(torch.cat((a, b, c, d), -1)))


class Swin(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 64, 4, 4)
        self.body = nn.Sequential(
            nn.LayerNorm(64),
            Window(64, 2, 32, 0),
            Window(64, 2, 32, 2),
            Merge(64),
            Window(128, 4, 16, 0),
            Window(128, 4, 16, 2),
            Merge(128),
            Window(256, 8, 8, 0),
            Window(256, 8, 8, 2),
            Window(256, 8, 8, 0),
            Window(256, 8, 8, 2),
            nn.LayerNorm(256),
        )
        self.head = nn.Linear(256, 100)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(self.patch(x).permute(0, 2, 3, 1)).mean((1, 2)))


def model() -> nn.Module:
    return Swin()


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 3, 128, 128), torch.randint(0, 100, (n,))


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1], label_smoothing=0.1)
