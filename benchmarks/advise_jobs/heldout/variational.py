"""A variational autoencoder of images, with transposed convolutions."""

import torch
from torch import nn


class Variational(nn.Module):
    def __init__(self, widths: tuple[int, ...], latent: int) -> None:
        super().__init__()
        down: list[nn.Module] = []
        up: list[nn.Module] = []
        for inputs, outputs in zip((3, *widths), widths, strict=False):
            down += [
                nn.Conv2d(inputs, outputs, 4, 2, 1),
                nn.BatchNorm2d(outputs),
                nn.LeakyReLU(0.2),
            ]
        for inputs, outputs in zip(widths[::-1], widths[-2::-1], strict=False):
            up += [
                nn.ConvTranspose2d(inputs, outputs, 4, 2, 1),
                nn.BatchNorm2d(outputs),
                nn.LeakyReLU(0.2),
            ]
        self.last = widths[-1]
        self.down = nn.Sequential(*down, nn.Flatten())
        self.mean, self.spread = (nn.Linear(self.last * 16, latent) for _ in range(2))
        self.widen = nn.Linear(latent, self.last * 16)
        self.up = nn.Sequential(*up, nn.ConvTranspose2d(widths[0], 3, 4, 2, 1))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        y = self.down(x)
        mean, spread = self.mean(y), self.spread(y)
        z = mean + torch.randn_like(mean) * torch.exp(spread / 2)
        return self.up(self.widen(z).unflatten(1, (self.last, 4, 4))), mean, spread


def model() -> nn.Module:
    return Variational((48, 96, 192, 384), 128)


def batch(n: int) -> torch.Tensor:
    return torch.randn(n, 3, 64, 64)


def loss(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    guess, mean, spread = model(batch)
    far = (mean.square() + spread.exp() - 1 - spread).sum(1).mean() / 2
    return nn.functional.mse_loss(guess, batch) + 1e-4 * far
