"""Follows the live tensors of an ONNX graph: `python graph.py ASKED.json RESULT.json`.

Needs numpy and onnx. Weights are not read from external files. The result has the form of a trace:
weights begin first, each node's results begin when it runs and end after their last use, as ONNX
Runtime frees them.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper, shape_inference

BEGIN, END, OPERATION, PHASE = range(4)
NAMES = {
    "MatMul": "bmm",
    "Gemm": "mm",
    "Conv": "convolution",
    "Softmax": "_softmax",
    "Gelu": "gelu",
}
Shape = tuple[int, ...]


class BadGraph(Exception):
    """A graph of which some size cannot be known."""


def main(asked_file: str, result_file: str) -> None:
    asked = json.loads(Path(asked_file).read_text())
    began = time.perf_counter()
    try:
        model = onnx.load(asked["onnx"], load_external_data=False)
        told = _followed(_inferred(model, asked["batch"]))
        result = {
            "ok": True,
            "torch": f"onnx {onnx.__version__}",
            "threads": os.cpu_count() or 1,
            **told,
        }
        result["seconds"] = time.perf_counter() - began
    except BadGraph as bad:
        result = {"ok": False, "kind": "graph", "text": str(bad)}
    except Exception as bad:
        result = {"ok": False, "kind": "graph", "text": f"{type(bad).__name__}: {bad}"[:2000]}
    Path(result_file).write_text(json.dumps(result))


def _inferred(model: Any, batch: int) -> Any:
    """The model with every shape that follows once the first free dimension is the batch."""
    weights = {one.name for one in model.graph.initializer}
    for given in model.graph.input:
        dims = given.type.tensor_type.shape.dim
        if given.name not in weights and dims and not dims[0].dim_value:
            dims[0].dim_value = batch
    del model.graph.value_info[:]
    for out in model.graph.output:
        out.type.tensor_type.ClearField("shape")
    return shape_inference.infer_shapes(model, data_prop=True)


def _followed(model: Any) -> dict[str, Any]:
    graph = model.graph
    known = {one.name: _typed(one) for one in (*graph.input, *graph.value_info, *graph.output)}
    weights = {one.name: (tuple(one.dims), one.data_type) for one in graph.initializer}
    known |= weights
    last = {name: at for at, node in enumerate(graph.node) for name in node.input}
    kept = {one.name for one in (*graph.input, *graph.output)}
    events: list[list[Any]] = [[PHASE, "build"]]
    numbers: dict[str, int] = {}
    operations: list[Any] = []

    def begin(name: str) -> None:
        numbers[name] = len(numbers)
        events.append([BEGIN, numbers[name], _bytes(name, known)])

    for name in weights:
        begin(name)
    parts = {numbers[name]: "parameters" for name in weights}
    events += [[PHASE, "batch"]]
    for given in graph.input:
        if given.name not in weights:
            begin(given.name)
    events += [[PHASE, "forward"]]
    for at, node in enumerate(graph.node):
        operations.append(_operation(node, known))
        events.append([OPERATION, at])
        for name in filter(None, node.output):
            begin(name)
        for name in {*node.input, *node.output} - kept - set(weights) - {""}:
            if last.get(name, at) == at and name in numbers:
                events.append([END, numbers[name]])
    count = sum(_elements(shape) for shape, _ in weights.values())
    size = sum(_bytes(name, known) for name in weights)
    return {
        "parameters": count, "trained": 0, "parameter_bytes": size, "parts": parts,
        "events": events, "operations": operations,
    }  # fmt: skip


def _typed(one: Any) -> tuple[Shape | None, int]:
    tensor = one.type.tensor_type
    if not tensor.HasField("shape"):
        return None, tensor.elem_type
    dims = tensor.shape.dim
    if any(not dim.HasField("dim_value") for dim in dims):
        return None, tensor.elem_type
    return tuple(dim.dim_value for dim in dims), tensor.elem_type


def _bytes(name: str, known: dict[str, tuple[Shape | None, int]]) -> int:
    shape, kind = known.get(name, (None, 0))
    if shape is None:
        raise BadGraph(f"the shape of `{name}` depends on values, or on more than the batch")
    return _elements(shape) * _item(kind)


def _elements(shape: Shape | None) -> int:
    count = 1
    for one in shape or ():
        count *= one
    return count


def _item(kind: int) -> int:
    if kind in (TensorProto.STRING, TensorProto.UNDEFINED):
        return 8
    return int(helper.tensor_dtype_to_np_dtype(kind).itemsize)


def _operation(node: Any, known: dict[str, tuple[Shape | None, int]]) -> Any:
    """As a trace tells it; a convolution's other arguments only where counts need them."""
    args = [_told(name, known) for name in node.input if name]
    results = [_told(name, known) for name in node.output if name]
    name = NAMES.get(node.op_type, node.op_type)
    if name == "convolution":
        groups = next((a.i for a in node.attribute if a.name == "group"), 1)
        args = [*args[:2], None, [], [], [], False, [], groups]
    if name == "mm":
        args = args[:2]
    if name == "bmm":
        args = [_stacked(one) for one in args]
    return [f"aten.{name}.default", args, [], results]


def _stacked(told: Any) -> Any:
    """A product's operand as one with exactly three dimensions."""
    shape = told[1]
    front = 1
    for one in shape[:-2]:
        front *= one
    return ["t", [front, *([1] * (2 - len(shape[-2:]))), *shape[-2:]], told[2], told[3]]


def _told(name: str, known: dict[str, tuple[Shape | None, int]]) -> Any:
    shape, kind = known.get(name, (None, 0))
    names = {TensorProto.FLOAT16: "float16", TensorProto.BFLOAT16: "bfloat16"}
    names |= {TensorProto.INT64: "int64", TensorProto.DOUBLE: "float64"}
    return ["t", list(shape or ()), names.get(kind, "float32"), "c"]


if __name__ == "__main__":
    main(*sys.argv[1:3])
