"""Scratch of kernels, in the terms of the tensors they reorder."""

from __future__ import annotations

from dsvm.advise.kernels import GEMM_KEEPS, CpuKernels
from dsvm.advise.trace import Operation, Tensor


def tensor(*shape: int, layout: str = "c") -> Tensor:
    return Tensor(shape, "float32", layout)


def convolution(source: Tensor, weight: Tensor, result: Tensor) -> Operation:
    args = (source, weight, None, (1, 1), (1, 1), (1, 1), False, (0, 0), 1)
    return Operation("convolution", args, {}, (result,))


def test_a_convolution_holds_its_input_or_result_a_second_time() -> None:
    source, weight, result = tensor(2, 32, 8, 8), tensor(64, 32, 3, 3), tensor(2, 64, 8, 8)

    found = CpuKernels().scratch(convolution(source, weight, result))

    assert found == result.bytes + weight.bytes


def test_channels_last_needs_no_reorder_of_images() -> None:
    source, weight = tensor(2, 32, 8, 8, layout="l"), tensor(64, 32, 3, 3)

    found = CpuKernels().scratch(convolution(source, weight, tensor(2, 64, 8, 8, layout="l")))

    assert found == weight.bytes


def test_few_channels_are_padded_to_a_block() -> None:
    narrow = convolution(tensor(2, 32, 8, 8), tensor(2, 32, 1, 1), tensor(2, 2, 8, 8))

    padded = 2 * 16 * 8 * 8 * 4
    assert (
        CpuKernels().scratch(narrow) == (2 * 32 * 8 * 8 * 4 + padded) - 2 * 2 * 64 * 4 + 2 * 32 * 4
    )


def test_a_strided_gradient_of_an_embedding_is_copied() -> None:
    gradient = tensor(4, 5, 6, layout="s")
    call = Operation("embedding_dense_backward", (gradient,), {}, (tensor(10, 6),))

    assert CpuKernels().scratch(call) == gradient.bytes


def test_packing_buffers_are_kept_once_and_limited() -> None:
    kernels, large = CpuKernels(), tensor(4096, 4096)
    first = Operation("mm", (large, large), {}, (large,))
    small = Operation("mm", (tensor(8, 8), large), {}, (large,))

    assert [kernels.more(one) for one in (first, first, small)] == [GEMM_KEEPS, 0, 0]
