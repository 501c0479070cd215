"""What kernels of the CPU hold inside: scratch while they run, and what libraries then keep.

Each rule was found by counting the allocations of real operations on the development models (see
`benchmarks/advise.py`, torch 2.13, oneDNN 3, AVX-512) and explains what was counted to within some
percent; it is the sum of the tensors that the kernel reorders, so it holds for other shapes.
"""

from __future__ import annotations

from collections.abc import Callable

from dsvm.advise.trace import Operation, Tensor

MB = 1_000_000
BLOCK = 16
"""Channels in one block of oneDNN's layouts with AVX-512."""
GEMM_KEEPS = 7_500_000
"""At most, for all products of one operator: MKL's packing buffers."""
CONVOLUTION_KEEPS = 110_000
ONEDNN_GEMM_KEEPS = 600_000
RNN_WRITTEN = 0.33


class CpuKernels:
    """Scratch of operations, and bytes that libraries keep: packing buffers, compiled kernels."""

    def __init__(self) -> None:
        self._seen: set[object] = set()
        self._gemms: dict[str, int] = {}

    def scratch(self, operation: Operation) -> int:
        """Bytes that an operation holds at its peak beyond its results."""
        rule = _RULES.get(operation.name)
        return max(0, int(rule(operation))) if rule else 0

    def written(self, operation: Operation) -> float:
        """The share of its scratch that an operation writes; the rest never becomes resident."""
        return RNN_WRITTEN if operation.name.startswith("mkldnn_rnn") else 1.0

    def more(self, one: Operation) -> int:
        """What this operation adds, the first time it is met."""
        key = (one.name, tuple((t.shape, t.dtype) for t in one.tensors))
        if key in self._seen:
            return 0
        self._seen.add(key)
        if one.name in ("mm", "addmm", "bmm", "baddbmm"):
            left, right = one.tensors[-2:]
            if left.dtype != "float32":
                return ONEDNN_GEMM_KEEPS
            before = self._gemms.get(one.name, 0)
            now = self._gemms[one.name] = min(GEMM_KEEPS, before + left.bytes + right.bytes)
            return now - before
        if one.name.startswith("convolution"):
            return CONVOLUTION_KEEPS
        return 4 * CONVOLUTION_KEEPS if one.name.startswith("mkldnn_rnn") else 0


def _blocked(tensor: Tensor) -> int:
    """Bytes of a tensor in a blocked layout; few channels stay as they are."""
    channels = tensor.shape[1] if len(tensor.shape) > 1 else 1
    if channels <= 4:
        return 0
    padded = -(-channels // BLOCK) * BLOCK
    return tensor.bytes * padded // channels


def _contiguous(tensor: Tensor) -> int:
    """Bytes of the copy that a strided tensor is made into."""
    return tensor.bytes if tensor.layout == "s" else 0


def _padded(tensor: Tensor) -> int:
    channels = max(1, tensor.shape[1])
    return tensor.bytes * (-(-channels // BLOCK) * BLOCK) // channels


def _convolution(one: Operation) -> int:
    source, weight = one.args[0], one.args[1]
    result = one.results[0]
    if source.layout == "l":
        return int(weight.bytes)
    if one.args[6]:
        return int(max(2 * _blocked(result), _blocked(source)) + weight.bytes)
    inside = _padded(result)
    peak = max(_blocked(source) + inside, inside + result.bytes)
    return int(peak - result.bytes + weight.bytes + _contiguous(source))


def _convolution_backward(one: Operation) -> int:
    gradient, source, weight = one.args[0], one.args[1], one.args[2]
    wants = one.args[10]
    known = source.bytes if wants[0] else 0
    given = sum(result.bytes for result in one.results)
    if source.layout == "l":
        return int(2 * weight.bytes)
    arrived = _blocked(gradient) if one.args[7] else _padded(gradient)
    data = arrived + weight.bytes + (_blocked(source) + known if wants[0] else 0)
    inner = _blocked(source) + arrived + weight.bytes
    weights = known + max(inner, 2 * weight.bytes)
    return int(max(data, weights) - given + _contiguous(gradient))


def _rnn(one: Operation) -> int:
    source, weights = one.args[0], one.args[1].bytes + one.args[2].bytes
    hidden = one.results[1].shape[-1]
    gates = 4 * source.shape[0] * source.shape[1] * 4 * hidden
    return int(gates * 1.13 + weights)


def _rnn_backward(one: Operation) -> int:
    source, weights = one.args[0], one.args[1].bytes + one.args[2].bytes
    hidden = one.args[5].shape[-1]
    gates = 4 * source.shape[0] * source.shape[1] * 4 * hidden
    strided = sum(_contiguous(t) for t in one.tensors if len(t.shape) == 3)
    return int(gates + 2 * weights + MB + strided)


def _encoder_layer(one: Operation) -> int:
    """The fused encoder layer of an inference: queries, keys, values and all scores, or the
    inside of the feed-forward part and its activation.

    Source: `aten/src/ATen/native/transformers/transformer.cpp`, `attention.cpp` (native MHA).
    """
    source, heads = one.args[0], one.args[2]
    batch, length = source.shape[0], source.shape[1]
    scores = source.item * batch * heads * length * length
    widest = max((t.shape[0] for t in one.tensors if len(t.shape) == 2), default=0)
    return int(max(3 * source.bytes + scores, 2 * source.item * batch * length * widest))


def _native_attention(one: Operation) -> int:
    """The fused attention of an inference: queries, keys and values twice, or all scores."""
    source, heads = one.args[0], one.args[4]
    batch, length = source.shape[0], source.shape[1]
    scores = source.item * batch * heads * length * length
    return int(max(5 * source.bytes, 2 * source.bytes + scores))


def _batch_norm_backward(one: Operation) -> int:
    return int(one.args[1].bytes)


def _copies(one: Operation) -> int:
    """Kernels that need their tensors contiguous copy those that are not."""
    return sum(_contiguous(tensor) for tensor in one.tensors)


def _upsample(one: Operation) -> int:
    """Both are brought into channels-last order and back."""
    return one.args[0].bytes + one.results[0].bytes if one.args[0].layout == "c" else 0


def _safe_softmax(one: Operation) -> int:
    """A boolean mask of the rows that are all minus infinity."""
    return one.results[0].elements


_RULES: dict[str, Callable[[Operation], int]] = {
    "convolution": _convolution,
    "convolution_backward": _convolution_backward,
    "mkldnn_rnn_layer": _rnn,
    "mkldnn_rnn_layer_backward": _rnn_backward,
    "native_batch_norm_backward": _batch_norm_backward,
    "embedding_dense_backward": _copies,
    "_softmax": _copies,
    "_softmax_backward_data": _copies,
    "_log_softmax": _copies,
    "_log_softmax_backward_data": _copies,
    "native_layer_norm": _copies,
    "native_layer_norm_backward": _copies,
    "upsample_nearest2d": _upsample,
    "_safe_softmax": _safe_softmax,
    "_transformer_encoder_layer_fwd": _encoder_layer,
    "_native_multi_head_attention": _native_attention,
}
