"""A noise predictor with attention, time embedding and group norm."""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.n1, self.c1 = nn.GroupNorm(8, i), nn.Conv2d(i, o, 3, padding=1)
        self.n2, self.c2 = nn.GroupNorm(8, o), nn.Conv2d(o, o, 3, padding=1)
        self.time, self.skip = nn.Linear(128, o), nn.Conv2d(i, o, 1)

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        h = self.c1(nn.functional.silu(self.n1(x))) + self.time(t)[:, :, None, None]
        return self.c2(nn.functional.silu(self.n2(h))) + self.skip(x)


class Attend(nn.Module):
    def __init__(self, w: int) -> None:
        super().__init__()
        self.norm, self.qkv, self.out = (
            nn.GroupNorm(8, w),
            nn.Conv1d(w, 3 * w, 1),
            nn.Conv1d(w, w, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, w, h, v = x.shape
        q, k, value = self.qkv(self.norm(x).flatten(2)).view(b, 3, 4, w // 4, -1).unbind(1)
        share = torch.softmax(q.transpose(-1, -2) @ k * (w // 4) ** -0.5, -1)
        y = (value @ share.transpose(-1, -2)).reshape(b, w, -1)
        return x + self.out(y).view(b, w, h, v)


class Denoiser(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.time = nn.Sequential(nn.Linear(1, 128), nn.SiLU(), nn.Linear(128, 128))
        self.enter, self.leave = nn.Conv2d(3, 64, 3, padding=1), nn.Conv2d(64, 3, 3, padding=1)
        self.b1, self.b2, self.b3 = Block(64, 64), Block(64, 128), Block(192, 64)
        self.attend = Attend(128)

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        t = self.time(t)
        a = self.b1(self.enter(x), t)
        b = self.attend(self.b2(nn.functional.avg_pool2d(a, 2), t))
        b = nn.functional.interpolate(b, scale_factor=2, mode="nearest")
        return self.leave(self.b3(torch.cat([a, b], 1), t))


def model() -> nn.Module:
    return Denoiser()


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 3, 48, 48), torch.rand(n, 1)


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    x, t = batch
    noise = torch.randn_like(x)
    return nn.functional.mse_loss(model(x + noise * t[:, :, None, None], t), noise)
