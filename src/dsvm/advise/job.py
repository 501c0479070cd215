"""What a person asks about: a job, as `dsvm advise` takes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from dsvm.errors import UsageError

Precision = Literal["fp32", "bf16", "amp"]
Device = Literal["cpu", "cuda"]
OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop", "adagrad", "adamax", "nadam")
PRECISIONS = ("fp32", "bf16", "amp")
DEVICES = ("cpu", "cuda")
TASKS = ("causal-lm", "masked-lm", "sequence-classification", "token-classification")


@dataclass(frozen=True)
class Job:
    """A job on one device. One of `file`, `config` and `onnx` says which model.

    `batch` counts examples, `sequence` tokens each, `lora` is the rank of the adapters (0: all
    weights are trained), `checkpointing` makes activations again in the backward pass.
    """

    batch: int
    optimizer: str = "adam"
    precision: Precision = "fp32"
    device: Device = "cpu"
    inference: bool = False
    file: Path | None = None
    config: Path | None = None
    onnx: Path | None = None
    task: str = "causal-lm"
    sequence: int = 512
    lora: int = 0
    checkpointing: bool = False

    def asked(self) -> dict[str, Any]:
        """The job as the worker reads it."""
        told: dict[str, Any] = {
            "batch": self.batch,
            "optimizer": self.optimizer,
            "precision": self.precision,
            "inference": self.inference,
            # On a GPU optimizers work on all parameters at once, which takes temporaries.
            "foreach": self.device == "cuda",
        }
        if self.config is not None:
            told |= {
                "config": str(self.config),
                "task": self.task,
                "sequence": self.sequence,
                "lora": self.lora,
                "checkpointing": self.checkpointing,
            }
        elif self.onnx is not None:
            told["onnx"] = str(self.onnx)
        else:
            told["file"] = str(self.file)
        return told

    def json(self) -> dict[str, Any]:
        """The job as `dsvm advise --json` tells it."""
        return {**self.asked(), "device": self.device}


def job_of(
    *,
    file: Path | None,
    config: Path | None,
    onnx: Path | None,
    optimizer: str,
    precision: str,
    device: str,
    task: str,
    **more: Any,
) -> Job:
    """A job from what a person wrote. Raises `UsageError` for a word that is not known."""
    for what, given, known in (
        ("--optimizer", optimizer, OPTIMIZERS),
        ("--precision", precision, PRECISIONS),
        ("--device", device, DEVICES),
        ("--task", task, TASKS),
    ):
        if given not in known:
            raise UsageError(f"{what} {given} is not known", remedy=f"one of {', '.join(known)}")
    for path in (file, config, onnx):
        if path is not None and not path.is_file():
            raise UsageError(f"there is no file {path}")
    return Job(
        file=file.absolute() if file else None,
        config=config.absolute() if config else None,
        onnx=onnx.absolute() if onnx else None,
        optimizer=optimizer,
        precision=cast(Precision, precision),
        device=cast(Device, device),
        task=task,
        **more,
    )
