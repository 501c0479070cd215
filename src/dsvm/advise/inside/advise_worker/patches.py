"""What has to be done otherwise while tensors are fake."""

from __future__ import annotations

from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor


def prepare() -> None:
    """Change torch for the life of this process."""
    _skip_initialisers()
    _copy_parameters_whole()
    _convert_modules_plainly()
    _take_square_masks_as_causal()


def _skip_initialisers() -> None:
    """Initialisers read data, which fake tensors have none of; what they write does not matter."""
    for name in dir(torch.nn.init):
        if name.endswith("_") and not name.startswith("_"):
            setattr(torch.nn.init, name, _left_alone)


def _left_alone(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    return tensor


def _copy_parameters_whole() -> None:
    """A fake parameter's own deep copy is one whose views have storages of their own.

    So layers that are copied (`nn.TransformerEncoder` does) would count twice.
    """
    FakeTensor.__deepcopy__ = _copied


def _copied(self: FakeTensor, memo: dict[int, Any]) -> Any:
    if id(self) not in memo:
        copy = self.detach().clone(memory_format=torch.preserve_format)
        if isinstance(self, torch.nn.Parameter):
            copy = torch.nn.Parameter(copy, self.requires_grad)
        memo[id(self)] = copy
    return memo[id(self)]


def _convert_modules_plainly() -> None:
    """`module.to(...)` swaps the insides of fake parameters, which fails while they are watched."""
    torch.nn.Module._apply = _applied


def _applied(self: torch.nn.Module, fn: Any, recurse: bool = True) -> torch.nn.Module:
    done: dict[int, torch.nn.Parameter] = {}
    for module in self.modules() if recurse else [self]:
        for name, given in module._parameters.items():
            if given is not None:
                if id(given) not in done:
                    made = fn(given.detach())
                    done[id(given)] = torch.nn.Parameter(made, given.requires_grad)
                module._parameters[name] = done[id(given)]
        for name, kept in module._buffers.items():
            if kept is not None:
                module._buffers[name] = fn(kept)
    return self


def _take_square_masks_as_causal() -> None:
    """`nn.Transformer` compares its mask with a causal one, value by value."""
    torch.nn.modules.transformer._detect_is_causal_mask = _is_causal


def _is_causal(mask: Any, is_causal: bool | None = None, size: int | None = None) -> bool:
    return mask is not None if is_causal is None else is_causal
