"""Whether a machine's engine can give it what its definition names of the host."""

from __future__ import annotations

from dsvm.definition import Definition
from dsvm.engines.base import Engine
from dsvm.errors import DsvmError
from dsvm.machines.parts import devices

NEEDLESS = "without a GPU, `[accelerator] variants` makes the machine ready for one"


def check_given(name: str, definition: Definition, engine: Engine, *, gpu: bool = False) -> None:
    """Raises `DsvmError` when machine `name` names devices that the engine cannot give, or with
    `gpu` when it cannot give any GPU: before anything is stopped for it."""
    named = devices(definition)
    if gpu and named == ():
        raise DsvmError(
            f"machine `{name}` is given no device",
            cause="`[size] devices` is empty",
            remedy="name one: `--device nvidia.com/gpu=0`",
        )
    if not named and not gpu:
        return
    if refusal := engine.gives(named or ()):
        raise DsvmError(
            f"machine `{name}` cannot be given {', '.join(named or ('a GPU',))}",
            cause=f"engine `{engine.name}`: {refusal.reason}",
            remedy=refusal.remedy or (NEEDLESS if gpu else None),
        )
