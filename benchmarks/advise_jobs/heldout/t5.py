"""A T5-like encoder and decoder with learned relative position bias and RMS norm."""

import torch
from torch import nn

VOCAB, WIDTH, HEADS, SPAN = 6000, 256, 4, 32


class Norm(nn.Module):
    def __init__(self, w: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(w))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
        return y * self.scale


class Bias(nn.Module):
    def __init__(self, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        self.table = nn.Embedding(2 * SPAN + 1, HEADS)

    def forward(self, length: int) -> torch.Tensor:
        at = torch.arange(length)
        gap = at[None, :] - at[:, None]
        bias = self.table(gap.clamp(-SPAN, SPAN) + SPAN).permute(2, 0, 1)
        return bias.masked_fill(gap > 0, -1e4) if self.causal else bias


class Attend(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = Norm(WIDTH)
        self.q, self.k, self.v, self.o = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(4))

    def forward(
        self, x: torch.Tensor, memory: torch.Tensor | None, bias: torch.Tensor | None
    ) -> torch.Tensor:
        y = self.norm(x)
        source = y if memory is None else memory
        q = self.q(y).unflatten(-1, (HEADS, -1)).transpose(1, 2)
        k = self.k(source).unflatten(-1, (HEADS, -1)).transpose(1, 2)
        v = self.v(source).unflatten(-1, (HEADS, -1)).transpose(1, 2)
        score = torch.matmul(q, k.transpose(-1, -2))
        if bias is not None:
            score = score + bias
        mix = torch.matmul(nn.functional.dropout(score.softmax(-1), 0.1, self.training), v)
        return x + self.o(mix.transpose(1, 2).flatten(2))


class Feed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = Norm(WIDTH)
        self.gate, self.up = (nn.Linear(WIDTH, 704, bias=False) for _ in range(2))
        self.down = nn.Linear(704, WIDTH, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(x)
        y = nn.functional.gelu(self.gate(y), approximate="tanh") * self.up(y)
        return x + self.down(nn.functional.dropout(y, 0.1, self.training))


class Layer(nn.Module):
    def __init__(self, cross: bool) -> None:
        super().__init__()
        self.own = Attend()
        self.cross = Attend() if cross else None
        self.feed = Feed()

    def forward(
        self, x: torch.Tensor, bias: torch.Tensor, memory: torch.Tensor | None
    ) -> torch.Tensor:
        x = self.own(x, None, bias)
        if self.cross is not None:
            x = self.cross(x, memory, None)
        return self.feed(x)


class Translate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(VOCAB, WIDTH)
        self.encoder = nn.ModuleList(Layer(False) for _ in range(4))
        self.decoder = nn.ModuleList(Layer(True) for _ in range(4))
        self.both, self.past = Bias(False), Bias(True)
        self.mid, self.last = Norm(WIDTH), Norm(WIDTH)
        self.head = nn.Linear(WIDTH, VOCAB, bias=False)

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        x = self.embed(source)
        bias = self.both(source.shape[1])
        for layer in self.encoder:
            x = layer(x, bias, None)
        memory = self.mid(x)
        y = self.embed(target)
        bias = self.past(target.shape[1])
        for layer in self.decoder:
            y = layer(y, bias, memory)
        return self.head(self.last(y))


def model() -> nn.Module:
    return Translate()


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randint(0, VOCAB, (n, 96)), torch.randint(0, VOCAB, (n, 65))


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    source, target = batch
    out = model(source, target[:, :-1])
    return nn.functional.cross_entropy(out.flatten(0, 1), target[:, 1:].flatten())
