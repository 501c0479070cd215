"""A one-stage detector: a backbone, a feature pyramid, and dense class and box heads."""

import torch
from torch import nn

KINDS, ANCHORS, SIDE, WIDTH = 20, 3, 160, 64
PLACES = ANCHORS * sum((SIDE // s) ** 2 for s in (8, 16, 32))


class Basic(nn.Module):
    def __init__(self, a: int, b: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(a, b, 3, 2, 1, bias=False),
            nn.BatchNorm2d(b),
            nn.ReLU(),
            nn.Conv2d(b, b, 3, 1, 1, bias=False),
            nn.BatchNorm2d(b),
        )
        self.skip = nn.Conv2d(a, b, 1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.relu(self.body(x) + self.skip(x))


class Head(nn.Module):
    def __init__(self, out: int) -> None:
        super().__init__()
        self.out = out
        self.body = nn.Sequential(
            nn.Conv2d(WIDTH, WIDTH, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(WIDTH, WIDTH, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(WIDTH, ANCHORS * out, 3, 1, 1),
        )

    def forward(self, maps: list[torch.Tensor]) -> torch.Tensor:
        rows = [self.body(x).permute(0, 2, 3, 1).reshape(x.shape[0], -1, self.out) for x in maps]
        return torch.cat(rows, 1)


class Detect(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(Basic(3, 32), Basic(32, 64))
        self.c3, self.c4, self.c5 = Basic(64, 96), Basic(96, 160), Basic(160, 256)
        self.l3, self.l4, self.l5 = (nn.Conv2d(c, WIDTH, 1) for c in (96, 160, 256))
        self.s3, self.s4, self.s5 = (nn.Conv2d(WIDTH, WIDTH, 3, 1, 1) for _ in range(3))
        self.kind, self.box = Head(KINDS), Head(4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        c3 = self.c3(self.stem(x))
        c4 = self.c4(c3)
        p5 = self.l5(self.c5(c4))
        p4 = self.l4(c4) + nn.functional.interpolate(p5, scale_factor=2.0, mode="nearest")
        p3 = self.l3(c3) + nn.functional.interpolate(p4, scale_factor=2.0, mode="nearest")
        maps = [self.s3(p3), self.s4(p4), self.s5(p5)]
        return self.kind(maps), self.box(maps)


def model() -> nn.Module:
    return Detect()


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    label = torch.randint(0, 8 * KINDS, (n, PLACES)).clamp(max=KINDS)
    return torch.randn(n, 3, SIDE, SIDE), label, torch.randn(n, PLACES, 4)


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> torch.Tensor:
    image, label, goal = batch
    kind, box = model(image)
    want = nn.functional.one_hot(label, KINDS + 1)[..., :KINDS].to(kind.dtype)
    cross = nn.functional.binary_cross_entropy_with_logits(kind, want, reduction="none")
    p = torch.sigmoid(kind)
    miss = p + want - 2 * p * want
    focal = ((0.75 - 0.5 * want) * miss.pow(2) * cross).sum()
    real = (label < KINDS).to(box.dtype)
    gap = nn.functional.smooth_l1_loss(box, goal.to(box.dtype), reduction="none").sum(-1)
    return (focal + (gap * real).sum()) / (real.sum() + 1)
