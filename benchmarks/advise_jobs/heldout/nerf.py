"""A neural radiance field: positions encoded, a perceptron with a skip, rays composited."""

import torch
from torch import nn

STEPS = 32


def encode(x: torch.Tensor, bands: int) -> torch.Tensor:
    angle = x[..., None] * 2.0 ** torch.arange(bands)
    return torch.cat((x, angle.sin().flatten(-2), angle.cos().flatten(-2)), -1)


class Field(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        w = 192
        self.low = nn.ModuleList((nn.Linear(63, w), *(nn.Linear(w, w) for _ in range(3))))
        self.high = nn.ModuleList((nn.Linear(w + 63, w), *(nn.Linear(w, w) for _ in range(2))))
        self.dense, self.carry = nn.Linear(w, 1), nn.Linear(w, w)
        self.tint = nn.Sequential(nn.Linear(w + 27, 96), nn.ReLU(), nn.Linear(96, 3))

    def forward(self, start: torch.Tensor, way: torch.Tensor) -> torch.Tensor:
        depth = torch.linspace(0.1, 2.0, STEPS)
        point = encode(start[:, None] + way[:, None] * depth[:, None], 10)
        y = point
        for layer in self.low:
            y = nn.functional.relu(layer(y))
        y = torch.cat((y, point.to(y.dtype)), -1)
        for layer in self.high:
            y = nn.functional.relu(layer(y))
        solid = 1 - torch.exp(-nn.functional.softplus(self.dense(y).squeeze(-1)) * 0.06)
        view = encode(way, 4)[:, None].expand(-1, STEPS, -1)
        carried = self.carry(y)
        tint = torch.sigmoid(self.tint(torch.cat((carried, view.to(carried.dtype)), -1)))
        clear = torch.cumprod(1 - solid + 1e-6, -1)
        clear = torch.cat((torch.ones_like(clear[:, :1]), clear[:, :-1]), -1)
        return ((solid * clear)[..., None] * tint).sum(1)


def model() -> nn.Module:
    return Field()


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    way = nn.functional.normalize(torch.randn(n, 3), dim=-1)
    return torch.randn(n, 3), way, torch.randn(n, 3).sigmoid()


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> torch.Tensor:
    start, way, colour = batch
    out = model(start, way)
    return nn.functional.mse_loss(out, colour.to(out.dtype))
