"""What one operation has to do: floating-point operations and bytes, and its class.

A multiplication and an addition count as two. `torch.utils.flop_counter` counts the backward of
grouped convolutions once per group, and neither the CPU's flash attention nor oneDNN's recurrent
layers; here all are counted from their shapes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from dsvm.advise.trace import Operation, Tensor


@dataclass(frozen=True)
class Work:
    """`kind` is a class of kernels that run at one speed; `flops` and `bytes` what is done."""

    kind: str
    flops: int
    bytes: int


def work_of(one: Operation) -> Work:
    """The work of one operation."""
    moved = sum(t.bytes for t in one.tensors) + sum(t.bytes for t in one.results)
    rule = _RULES.get(one.name.split(".")[0])
    if rule is not None:
        kind, flops = rule(one)
        wide = next((t.dtype for t in one.tensors if t.dtype != "int64"), "float32")
        half = kind in ("gemm", "convolution", "attention") and wide in ("bfloat16", "float16")
        return Work(f"{kind} half" if half else kind, flops, moved)
    name = one.name.split(".")[0].rstrip("_")
    if name in ("empty", "empty_like", "empty_strided", "new_empty_strided", "new_empty"):
        return Work("nothing", 0, 0)
    if name.startswith("_foreach"):
        return Work("elementwise", 0, moved)
    for kind, names in _KINDS.items():
        if name in names:
            return Work(kind, 0, moved)
    return Work("elementwise", 0, moved)


_KINDS = {
    "transcendental": (
        *("gelu", "gelu_backward", "silu", "silu_backward", "tanh", "sigmoid", "exp", "log", "pow"),
        *("erf", "softplus", "mish", "cos", "sin"),
    ),
    "softmax": (
        *("_softmax", "_safe_softmax", "_log_softmax"),
        *("_softmax_backward_data", "_log_softmax_backward_data"),
    ),
    "norm": ("native_layer_norm", "native_batch_norm", "native_group_norm", "_native_batch_norm"),
    "norm backward": (
        *("native_layer_norm_backward", "native_batch_norm_backward"),
        *("native_group_norm_backward",),
    ),
    "random": ("bernoulli", "normal", "uniform", "randn", "rand", "randn_like", "rand_like"),
    "integers": ("randint", "random"),
    "index": ("embedding", "index", "gather", "index_select", "nll_loss_forward"),
    "scatter": ("embedding_dense_backward", "index_put", "_index_put_impl", "scatter", "index_add"),
    "copy": ("clone", "cat", "copy", "_to_copy", "stack"),
    "pool": (
        *("max_pool2d_with_indices", "avg_pool2d", "_adaptive_avg_pool2d", "mean", "sum"),
        *("upsample_nearest2d", "upsample_bilinear2d"),
    ),
    "pool backward": (
        *("max_pool2d_with_indices_backward", "avg_pool2d_backward"),
        *("upsample_nearest2d_backward", "upsample_bilinear2d_backward"),
    ),
}


def _mm(one: Operation) -> tuple[str, int]:
    left, right = one.tensors[-2:]
    return "gemm", 2 * left.shape[0] * left.shape[1] * right.shape[1]


def _bmm(one: Operation) -> tuple[str, int]:
    left, right = one.tensors[-2:]
    return "gemm", 2 * prod(left.shape) * right.shape[2]


def _each_pass(source: Tensor, weight: Tensor, result: Tensor, transposed: bool) -> int:
    """One pass of a convolution: each output (of a transposed one, each input) needs a window of
    all channels of its group; `weight` is [out, in / groups, ...], transposed the other way."""
    at = source if transposed else result
    return 2 * at.shape[0] * prod(at.shape[2:]) * weight.elements


def _convolution(one: Operation) -> tuple[str, int]:
    source, weight, result = one.args[0], one.args[1], one.results[0]
    depthwise = weight.shape[1] == 1 and one.args[8] > 1
    kind = "depthwise" if depthwise else "convolution"
    return kind, _each_pass(source, weight, result, one.args[6])


def _convolution_backward(one: Operation) -> tuple[str, int]:
    gradient, source, weight = one.args[:3]
    passes = sum(bool(wanted) for wanted in one.args[10][:2])
    depthwise = weight.shape[1] == 1 and one.args[9] > 1
    kind = "depthwise backward" if depthwise else "convolution backward"
    return kind, passes * _each_pass(source, weight, gradient, one.args[7])


def _attention(one: Operation) -> tuple[str, int]:
    """Scores and their product with the values; a causal mask skips half of the blocks."""
    query, key, value = one.tensors[:3]
    batch, heads, length, width = query.shape
    pairs = batch * heads * length * key.shape[2]
    causal = any(one_ is True for one_ in one.args[3:])
    return "attention", 2 * pairs * (width + value.shape[3]) // (2 if causal else 1)


def _attention_backward(one: Operation) -> tuple[str, int]:
    """Scores again, and the gradients of values, scores, queries, keys: five products for two."""
    _, query, key, value = one.tensors[:4]
    batch, heads, length, width = query.shape
    pairs = batch * heads * length * key.shape[2]
    causal = any(one_ is True for one_ in one.args[6:])
    return "attention backward", 2 * pairs * (3 * width + 2 * value.shape[3]) // (
        2 if causal else 1
    )


def _rnn(one: Operation) -> tuple[str, int]:
    source, inside, state = one.args[0], one.args[1], one.args[2]
    return "rnn", 2 * source.shape[0] * source.shape[1] * (inside.elements + state.elements)


def _rnn_backward(one: Operation) -> tuple[str, int]:
    return "rnn backward", 2 * _rnn(one)[1]


_RULES: dict[str, Callable[[Operation], tuple[str, int]]] = {
    "mm": _mm,
    "addmm": _mm,
    "bmm": _bmm,
    "baddbmm": _bmm,
    "convolution": _convolution,
    "convolution_backward": _convolution_backward,
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "_scaled_dot_product_flash_attention_for_cpu_backward": _attention_backward,
    "mkldnn_rnn_layer": _rnn,
    "mkldnn_rnn_layer_backward": _rnn_backward,
}
