"""What one operation has to do: floating-point operations and bytes, and its class.

A multiplication and an addition count as two. `torch.utils.flop_counter` counts the backward of
grouped convolutions once per group, and neither the CPU's flash attention nor oneDNN's recurrent
layers; here all are counted from their shapes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

from dsvm.advise.trace import Operation, Tensor


@dataclass(frozen=True)
class Work:
    """`kind` is a class of kernels that run at one speed; `flops` and `bytes` what is done."""

    kind: str
    flops: int
    bytes: int


def work_of(one: Operation) -> Work:
    """The work of one operation."""
    base = one.name.split(".")[0]
    name = base.rstrip("_")
    kind, flops, moved = _BY_NAME.get(name, "elementwise"), 0, _moved(one, base)
    rule = _RULES.get(base)
    if rule is not None:
        kind, flops = rule(one)
    elif kind == "nothing":
        return Work(kind, 0, 0)
    elif kind in ("index", "fill"):
        moved = 2 * sum(result.bytes for result in one.results)
    elif kind in ("chance", "random", "integers"):
        return Work(kind, 0, 4 * sum(result.elements for result in one.results))
    return Work(f"{kind} half" if _half(one) else kind, flops, moved)


def _moved(one: Operation, base: str) -> int:
    """Bytes that are read and written. What is changed in place is both."""
    read = sum(tensor.bytes for tensor in one.tensors)
    if base == "_transformer_encoder_layer_fwd":
        return read + _inside_encoder_layer(one)
    written = sum(result.bytes for result in one.results)
    if base.endswith("_") and not one.results:
        lists = [value for value in one.args[:1] if isinstance(value, tuple)]
        written = sum(tensor.bytes for value in lists for tensor in value)
    return read + written


def _half(one: Operation) -> bool:
    """Whether its numbers have 16 bits: what it takes first decides, else what it gives."""
    found = (t.dtype for t in (*one.tensors, *one.results) if t.dtype in _FLOATS)
    return next(found, "float32") in _HALVES


_HALVES = frozenset({"bfloat16", "float16"})
_FLOATS = frozenset({*_HALVES, "float32", "float64"})
_KINDS = {
    "nothing": ("empty", "empty_like", "empty_strided", "new_empty_strided", "new_empty"),
    "transcendental": (
        *("gelu", "gelu_backward", "silu", "silu_backward", "tanh", "sigmoid", "exp", "log", "pow"),
        *("erf", "softplus", "mish", "cos", "sin", "_prelu_kernel", "_prelu_kernel_backward"),
    ),
    "softmax": ("_softmax", "_safe_softmax", "_log_softmax"),
    "softmax backward": ("_softmax_backward_data", "_log_softmax_backward_data"),
    "layer norm": ("native_layer_norm", "native_group_norm", "_fused_rms_norm"),
    "layer norm backward": ("native_layer_norm_backward", "native_group_norm_backward"),
    "batch norm": ("native_batch_norm", "_native_batch_norm_legit"),
    "batch norm backward": ("native_batch_norm_backward",),
    "chance": ("bernoulli",),
    "random": ("normal", "uniform", "randn", "rand", "randn_like", "rand_like"),
    "integers": ("randint", "random"),
    "index": ("embedding", "index", "gather", "index_select", "nll_loss_forward"),
    "scatter": ("embedding_dense_backward", "index_put", "_index_put_impl", "scatter", "index_add"),
    "fill": ("nll_loss_backward", "zeros", "zeros_like", "full", "full_like", "ones", "fill"),
    "copy": ("clone", "cat", "copy", "stack"),
    "cast": ("_to_copy",),
    "reduce": ("mean", "sum", "_adaptive_avg_pool2d", "amax", "var"),
    "pool": (
        *("avg_pool2d", "avg_pool3d", "adaptive_max_pool2d"),
        *("upsample_nearest2d", "upsample_bilinear2d"),
    ),
    "pool backward": (
        *("max_pool2d_with_indices_backward", "avg_pool2d_backward", "avg_pool3d_backward"),
        *("upsample_nearest2d_backward", "upsample_bilinear2d_backward"),
    ),
}
_BY_NAME = {name: kind for kind, names in _KINDS.items() for name in names}


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


FEW = 8
"""Channels below which oneDNN pads, and computes for nothing."""


def _convolution_kind(
    weight: Tensor, groups: int, stride: Any, dilation: Any, transposed: bool
) -> str:
    """oneDNN's kernels differ by what they are given: those of one filter for each channel are
    quick for three by three without stride only."""
    if groups == 1:
        if weight.shape[1 if transposed else 0] < FEW:
            return "narrow"
        return "dilated" if _above_one(dilation) else "convolution"
    if weight.shape[1] > 1:
        return "grouped"
    if prod(weight.shape[2:]) > 3 ** len(weight.shape[2:]):
        return "depthwise wide"
    return "depthwise strided" if _above_one(stride) else "depthwise"


def _above_one(given: Any) -> bool:
    return isinstance(given, tuple) and any(one > 1 for one in given)


def _convolution(one: Operation) -> tuple[str, int]:
    source, weight, result = one.args[0], one.args[1], one.results[0]
    _, _, _, stride, _, dilation, transposed, _, groups = one.args[:9]
    kind = _convolution_kind(weight, groups, stride, dilation, transposed)
    return kind, _each_pass(source, weight, result, one.args[6])


def _convolution_backward(one: Operation) -> tuple[str, int]:
    gradient, source, weight = one.args[:3]
    passes = sum(bool(wanted) for wanted in one.args[10][:2])
    stride, _, dilation, transposed, _, groups = one.args[4:10]
    kind = f"{_convolution_kind(weight, groups, stride, dilation, transposed)} backward"
    return kind, passes * _each_pass(source, weight, gradient, one.args[7])


def _attention(one: Operation) -> tuple[str, int]:
    """Scores and their product with the values."""
    query, key, value = one.tensors[:3]
    pairs = _pairs(query, key, causal=any(given is True for given in one.args[3:]))
    return "attention", 2 * pairs * (query.shape[3] + value.shape[3])


def _attention_backward(one: Operation) -> tuple[str, int]:
    """Scores again, and the gradients of values, scores, queries, keys: five products for two."""
    _, query, key, value = one.tensors[:4]
    pairs = _pairs(query, key, causal=any(given is True for given in one.args[6:]))
    return "attention backward", 2 * pairs * (3 * query.shape[3] + 2 * value.shape[3])


KEYS = 512
"""Keys of one block of the CPU's flash attention."""


def _pairs(query: Tensor, key: Tensor, *, causal: bool) -> int:
    """Pairs of a query and a key that are multiplied. A causal mask leaves out whole blocks only.

    Source: torch `aten/src/ATen/native/cpu/FlashAttentionKernel.cpp`, cpu_flash_attention.
    """
    batch, heads, length = query.shape[:3]
    keys = key.shape[2]
    if not causal or keys <= KEYS:
        return batch * heads * length * keys
    rows = 256 if length >= 768 else 64
    met = sum(
        min(rows, length - at) * min(keys, -(-min(at + rows, keys) // KEYS) * KEYS)
        for at in range(0, length, rows)
    )
    return batch * heads * met


def _fused_attention(one: Operation) -> tuple[str, int]:
    """Fused layers of an inference: the products of all their matrices, and of their scores.

    Source: torch `aten/src/ATen/native/transformers/transformer.cpp`, `attention.cpp`.
    """
    batch, length, width = one.args[0].shape
    weights = sum(t.elements for t in one.tensors if len(t.shape) == 2)
    return "gemm", 2 * batch * length * (weights + 2 * length * width)


def _largest(one: Operation) -> tuple[str, int]:
    """A comparison for each element of each window."""
    return "largest", one.results[0].elements * prod(one.args[1])


def _inside_encoder_layer(one: Operation) -> int:
    """Bytes that it writes and reads on its way: what each product gives, and the scores thrice."""
    source, heads = one.args[0], one.args[2]
    batch, length, _ = source.shape
    given = sum(t.shape[0] for t in one.tensors if len(t.shape) == 2)
    return int(2 * source.item * batch * length * (given + 3 * heads * length))


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
    "_transformer_encoder_layer_fwd": _fused_attention,
    "_native_multi_head_attention": _fused_attention,
    "max_pool2d_with_indices": _largest,
    "max_pool3d_with_indices": _largest,
    "mkldnn_rnn_layer": _rnn,
    "mkldnn_rnn_layer_backward": _rnn_backward,
}
