"""A convolutional variational autoencoder with transposed convolutions."""

import torch
from torch import nn


class Vae(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 32, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(64, 128, 4, 2, 1),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.mean, self.spread = nn.Linear(128 * 64, 128), nn.Linear(128 * 64, 128)
        self.start = nn.Linear(128, 128 * 64)
        self.decoder = nn.Sequential(
            nn.Unflatten(1, (128, 8, 8)),
            nn.ConvTranspose2d(128, 64, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 1, 4, 2, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        h = self.encoder(x)
        mean, spread = self.mean(h), self.spread(h)
        z = mean + torch.randn_like(mean) * torch.exp(0.5 * spread)
        return self.decoder(self.start(z)), mean, spread


def model() -> nn.Module:
    return Vae()


def batch(n: int) -> torch.Tensor:
    return torch.rand(n, 1, 64, 64)


def loss(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    out, mean, spread = model(batch)
    divergence = -0.5 * (1 + spread - mean**2 - spread.exp()).mean()
    return nn.functional.mse_loss(out, batch) + divergence
