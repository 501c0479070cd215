"""What the worker saw of a job: storages that begin and end, and the operations between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dsvm.errors import DsvmError

BEGIN, END, OPERATION, PHASE = range(4)
SIZES = {
    "float64": 8, "int64": 8, "complex64": 8, "float32": 4, "int32": 4,
    "bfloat16": 2, "float16": 2, "int16": 2, "int8": 1, "uint8": 1, "bool": 1, "complex128": 16,
    "float8_e4m3fn": 1, "float8_e5m2": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Tensor:
    """Shape, data type and layout (`c` contiguous, `l` channels last, `s` other strides)."""

    shape: tuple[int, ...]
    dtype: str
    layout: str

    @property
    def elements(self) -> int:
        count = 1
        for one in self.shape:
            count *= one
        return count

    @property
    def item(self) -> int:
        """Bytes of one element."""
        return SIZES.get(self.dtype, 4)

    @property
    def bytes(self) -> int:
        return self.elements * self.item


@dataclass(frozen=True)
class Operation:
    """One call of an operator: its name, arguments, named arguments, results."""

    name: str
    args: tuple[Any, ...]
    named: dict[str, Any]
    results: tuple[Tensor, ...]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors among the arguments, also those in lists."""
        return tuple(_flat((*self.args, *self.named.values())))


@dataclass(frozen=True)
class Trace:
    """Two steps of a job (one pass or two of an inference), as they would run."""

    torch: str
    threads: int
    parameters: int
    trained: int
    parameter_bytes: int
    events: tuple[tuple[Any, ...], ...]
    operations: tuple[Operation, ...]
    parts: dict[int, str]
    seconds: float
    inference: bool

    def last_step(self) -> list[Operation]:
        """The operations of the last step, in order."""
        began = max((at for at, e in enumerate(self.events) if e == (PHASE, "batch")), default=0)
        return [self.operations[e[1]] for e in self.events[began:] if e[0] == OPERATION]


def read_trace(told: dict[str, Any], inference: bool) -> Trace:
    """The worker's result as a trace. Raises `DsvmError` when the job itself failed."""
    if not told["ok"]:
        raise failed(told)
    return Trace(
        torch=told["torch"],
        threads=told["threads"],
        parameters=told["parameters"],
        trained=told["trained"],
        parameter_bytes=told["parameter_bytes"],
        events=tuple(tuple(one) for one in told["events"]),
        operations=tuple(map(read_operation, told["operations"])),
        parts={int(number): part for number, part in told["parts"].items()},
        seconds=told["seconds"],
        inference=inference,
    )


_FAILED = {
    "data": (
        "this job cannot be followed without running it",
        "its control flow or a shape depends on the values in a tensor: leave that part out of "
        "loss(), or measure the job as it runs",
    ),
    "shape": ("the batch does not fit the model", "compare batch() with what the model takes"),
    "raised": ("the job fails before any memory is counted", "mend it, then ask again"),
    "memory": ("the job's own code needs too much memory", "batch() may load less: only shapes"),
    "file": ("the file describes no job", "define model(), batch(n) and loss(model, batch)"),
    "model": ("model() gives nothing that can be trained", "return a torch.nn.Module"),
    "loss": ("loss() gives no loss", "return the mean loss of the batch, one number"),
    "graph": (
        "this ONNX model cannot be followed",
        "give fixed values to its dimensions other than the batch",
    ),
    "config": ("this configuration is not known", "give a config.json of a Hugging Face model"),
}


def failed(told: dict[str, Any]) -> DsvmError:
    """What the person's own code did wrong, as an error."""
    if told["kind"] == "import":
        return DsvmError(
            f"the environment has no module `{told.get('module')}`",
            cause=told["text"],
            remedy="name it in the file's PEP 723 dependencies, or give --environment",
        )
    what, remedy = _FAILED[told["kind"]]
    where = (told["where"],) if told.get("where") else ()
    return DsvmError(what, cause=told["text"], remedy=remedy, where=where)


def read_operation(told: list[Any]) -> Operation:
    """An operation as the worker tells it."""
    name, args, named, results = told
    return Operation(
        name=name.removeprefix("aten.").removesuffix(".default"),
        args=tuple(_value(one) for one in args),
        named={key: _value(value) for key, value in named},
        results=tuple(_value(one) for one in results),
    )


def _value(told: Any) -> Any:
    if isinstance(told, list):
        if len(told) == 4 and told[0] == "t":
            return Tensor(tuple(told[1]), told[2], told[3])
        return tuple(_value(one) for one in told)
    return told


def _flat(values: tuple[Any, ...]) -> list[Tensor]:
    found: list[Tensor] = []
    for one in values:
        if isinstance(one, Tensor):
            found.append(one)
        elif isinstance(one, tuple):
            found += _flat(one)
    return found
