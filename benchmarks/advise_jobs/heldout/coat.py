"""A CoAtNet-like hybrid: a convolution stem, inverted bottlenecks, then attention."""

import torch
from torch import nn


class Inverted(nn.Module):
    def __init__(self, a: int, b: int, stride: int) -> None:
        super().__init__()
        self.same = a == b and stride == 1
        self.body = nn.Sequential(
            nn.BatchNorm2d(a),
            nn.Conv2d(a, 4 * a, 1, bias=False),
            nn.BatchNorm2d(4 * a),
            nn.GELU(),
            nn.Conv2d(4 * a, 4 * a, 3, stride, 1, groups=4 * a, bias=False),
            nn.BatchNorm2d(4 * a),
            nn.GELU(),
            nn.Conv2d(4 * a, b, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x) if self.same else self.body(x)


class Mixer(nn.Module):
    def __init__(self, w: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(w)
        self.attend = nn.MultiheadAttention(w, w // 32, batch_first=True)
        self.body = nn.Sequential(
            nn.LayerNorm(w), nn.Linear(w, 4 * w), nn.GELU(), nn.Linear(4 * w, w)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(x)
        x = x + self.attend(y, y, y, need_weights=False)[0]
        return x + self.body(x)


class Hybrid(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.local = nn.Sequential(
            nn.Conv2d(3, 32, 3, 2, 1, bias=False),
            nn.BatchNorm2d(32),
            nn.GELU(),
            nn.Conv2d(32, 32, 3, 1, 1),
            Inverted(32, 48, 2),
            Inverted(48, 48, 1),
            Inverted(48, 96, 2),
            Inverted(96, 96, 1),
        )
        self.down = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(96, 192, 1))
        self.place = nn.Parameter(torch.zeros(1, 64, 192))
        self.wide = nn.Sequential(*(Mixer(192) for _ in range(5)), nn.LayerNorm(192))
        self.head = nn.Linear(192, 200)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.down(self.local(x)).flatten(2).transpose(1, 2)
        return self.head(self.wide(y + self.place).mean(1))


def model() -> nn.Module:
    return Hybrid()


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 3, 128, 128), torch.randint(0, 200, (n,))


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])
