"""What a job is, for the process that traces it and for the one that truly runs it.

Standard library and torch only: it runs with the Python of the person's own environment, where dsvm
is not.

A step is batch, loss, backward, optimizer step, zero_grad. `sgd` has momentum 0.9; `bf16` makes
bfloat16 the default dtype of the whole job; `amp` is bfloat16 autocast around the loss. Inference
is `predict(model, batch)` where the file has it, else `loss(model, batch)`, in eval mode without
gradients.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

OPTIMIZERS = {
    "adam": lambda given, **more: torch.optim.Adam(given, lr=1e-4, **more),
    "adamw": lambda given, **more: torch.optim.AdamW(given, lr=1e-4, **more),
    "sgd": lambda given, **more: torch.optim.SGD(given, lr=1e-3, momentum=0.9, **more),
    "rmsprop": lambda given, **more: torch.optim.RMSprop(given, lr=1e-4, **more),
    "adagrad": lambda given, **more: torch.optim.Adagrad(given, lr=1e-3, **more),
    "adamax": lambda given, **more: torch.optim.Adamax(given, lr=1e-4, **more),
    "nadam": lambda given, **more: torch.optim.NAdam(given, lr=1e-4, **more),
}


class BadJob(Exception):
    """The person's own file or configuration cannot be run: `kind` says how, the text why."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Job:
    """One job, built and run by whoever holds it: `build`, then `step` as often as wanted."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.asked = asked
        self.inference = bool(asked.get("inference"))
        self.source = _from_config(asked) if "config" in asked else _from_file(Path(asked["file"]))
        self.model: Any = None
        self.optimizer: Any = None

    def build(self) -> None:
        """The model, and its optimizer unless it is for inference."""
        with self.dtype():
            self.model = self.source.model()
        if not isinstance(self.model, torch.nn.Module):
            raise BadJob("model", f"model() gave {type(self.model).__name__}, not a torch module")
        if self.inference:
            self.model.eval()
            return
        given = [one for one in self.model.parameters() if one.requires_grad]
        if not given:
            raise BadJob("model", "the model has no parameters to train")
        more = {"foreach": True} if self.asked.get("foreach") else {}
        self.optimizer = OPTIMIZERS[self.asked["optimizer"]](given, **more)

    def batch(self) -> Any:
        with self.dtype():
            return self.source.batch(self.asked["batch"])

    def forward(self, batch: Any) -> Any:
        """The loss of a batch, as a scalar that can go backward; in inference whatever comes."""
        with self.dtype(), self._autocast():
            if self.inference:
                with torch.no_grad():
                    return getattr(self.source, "predict", self.source.loss)(self.model, batch)
            loss = self.source.loss(self.model, batch)
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
            raise BadJob("loss", f"loss() gave {_shown(loss)}, not one number")
        return loss

    def run(self, steps: int, phase: Callable[[str], object]) -> None:
        """So many steps, each told phase by phase: `batch`, `forward`, `backward`, `optimizer`,
        `end`. As in most training loops, the last batch and loss live until the next replace them.
        """
        for _ in range(steps):
            phase("batch")
            batch = self.batch()
            phase("forward")
            loss = self.forward(batch)
            if not self.inference:
                phase("backward")
                loss.backward()
                phase("optimizer")
                self.optimizer.step()
                phase("end")
                self.optimizer.zero_grad()
        del batch, loss

    @contextlib.contextmanager
    def dtype(self) -> Any:
        before = torch.get_default_dtype()
        if self.asked["precision"] == "bf16":
            torch.set_default_dtype(torch.bfloat16)
        try:
            yield
        finally:
            torch.set_default_dtype(before)

    def _autocast(self) -> Any:
        if self.asked["precision"] != "amp":
            return contextlib.nullcontext()
        return torch.autocast("cpu", dtype=torch.bfloat16)


def _from_file(path: Path) -> Any:
    """The module of a file that defines `model()`, `batch(n)` and `loss(model, batch)`."""
    spec = importlib.util.spec_from_file_location("advised_job", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["advised_job"] = module
    sys.path.insert(0, str(path.parent))
    spec.loader.exec_module(module)
    missing = [name for name in ("model", "batch", "loss") if not callable(_get(module, name))]
    if missing:
        raise BadJob("file", f"{path.name} defines no {', no '.join(f'`{n}`' for n in missing)}")
    return module


def _from_config(asked: dict[str, Any]) -> Any:
    from advise_worker.config import ConfigJob

    return ConfigJob(asked)


def _get(module: Any, name: str) -> Any:
    return getattr(module, name, None)


def _shown(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return type(value).__name__
