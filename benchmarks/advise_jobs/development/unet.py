"""A small U-Net with transposed convolutions and group norm."""

import torch
from torch import nn


def double(i: int, o: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(i, o, 3, padding=1),
        nn.GroupNorm(8, o),
        nn.SiLU(),
        nn.Conv2d(o, o, 3, padding=1),
        nn.GroupNorm(8, o),
        nn.SiLU(),
    )


class UNet(nn.Module):
    def __init__(self, w: int = 32) -> None:
        super().__init__()
        self.a, self.b, self.c = double(3, w), double(w, 2 * w), double(2 * w, 4 * w)
        self.up1, self.d1 = nn.ConvTranspose2d(4 * w, 2 * w, 2, 2), double(4 * w, 2 * w)
        self.up2, self.d2 = nn.ConvTranspose2d(2 * w, w, 2, 2), double(2 * w, w)
        self.out = nn.Conv2d(w, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.a(x)
        b = self.b(nn.functional.max_pool2d(a, 2))
        c = self.c(nn.functional.max_pool2d(b, 2))
        x = self.d1(torch.cat([self.up1(c), b], 1))
        return self.out(self.d2(torch.cat([self.up2(x), a], 1)))


def model() -> nn.Module:
    return UNet()


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 3, 96, 96), torch.randint(0, 2, (n, 96, 96))


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])
