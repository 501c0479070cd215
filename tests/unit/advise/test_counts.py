"""Operation counts, each against one that was made by hand."""

from __future__ import annotations

from dsvm.advise.counts import work_of
from dsvm.advise.trace import Operation, Tensor


def tensor(*shape: int, dtype: str = "float32") -> Tensor:
    return Tensor(shape, dtype, "c")


def call(name: str, args: tuple[object, ...], *results: Tensor) -> Operation:
    return Operation(name, args, {}, results)


def test_a_product_multiplies_and_adds_for_each_pair() -> None:
    found = work_of(call("mm", (tensor(3, 5), tensor(5, 7)), tensor(3, 7)))

    assert (found.kind, found.flops) == ("gemm", 2 * 3 * 5 * 7)
    assert found.bytes == 4 * (3 * 5 + 5 * 7 + 3 * 7)


def test_a_product_with_a_bias_counts_its_last_two_tensors() -> None:
    args = (tensor(7), tensor(3, 5), tensor(5, 7))

    assert work_of(call("addmm", args, tensor(3, 7))).flops == 2 * 3 * 5 * 7


def test_half_precision_is_a_class_of_its_own() -> None:
    half = tensor(4, 4, dtype="bfloat16")

    assert work_of(call("mm", (half, half), half)).kind == "gemm half"


MORE = ((1, 1), (1, 1), (1, 1), False, (0, 0))


def test_a_convolution_applies_its_window_at_each_output() -> None:
    args = (tensor(2, 6, 8, 8), tensor(10, 6, 3, 3), None, *MORE, 1)

    found = work_of(call("convolution", args, tensor(2, 10, 8, 8)))

    assert found.flops == 2 * (2 * 10 * 8 * 8) * (6 * 3 * 3)


def test_groups_divide_the_work_of_the_backward_pass_too() -> None:
    """torch's own counter multiplies it by the number of groups."""
    gradient, source = tensor(2, 12, 8, 8), tensor(2, 6, 8, 8)
    both = (True, True, False)
    whole = (gradient, source, tensor(12, 6, 3, 3), (0,), *MORE, 1, both)
    grouped = (gradient, source, tensor(12, 2, 3, 3), (0,), *MORE, 3, both)

    found = [work_of(call("convolution_backward", args, source)).flops for args in (whole, grouped)]

    one_pass = 2 * (2 * 12 * 8 * 8) * (6 * 3 * 3)
    assert found == [2 * one_pass, 2 * one_pass // 3]


def test_a_first_layer_needs_no_gradient_of_its_input() -> None:
    args = (tensor(2, 12, 8, 8), tensor(2, 3, 8, 8), tensor(12, 3, 3, 3), (0,), *MORE, 1)

    found = work_of(call("convolution_backward", (*args, (False, True, False))))

    assert found.flops == 2 * (2 * 12 * 8 * 8) * (3 * 3 * 3)


def test_a_transposed_convolution_applies_its_window_at_each_input() -> None:
    args = (tensor(2, 6, 4, 4), tensor(6, 5, 2, 2), None, (2, 2), (0, 0), (1, 1), True, (0, 0), 1)

    found = work_of(call("convolution", args, tensor(2, 5, 8, 8)))

    assert found.flops == 2 * (2 * 6 * 4 * 4) * (5 * 2 * 2)


def test_flash_attention_counts_scores_and_values() -> None:
    query, key = tensor(2, 3, 10, 8), tensor(2, 3, 20, 8)
    name = "_scaled_dot_product_flash_attention_for_cpu"

    found = work_of(call(name, (query, key, key), query))

    assert found.flops == 2 * (2 * 3 * 10 * 20 * 8) * 2


def causal_share(length: int) -> float:
    """What is left of the products when a causal mask is given."""
    query = tensor(2, 3, length, 8)
    name = "_scaled_dot_product_flash_attention_for_cpu"
    whole, causal = (
        work_of(call(name, (query, query, query, 0.0, causal), query)).flops
        for causal in (False, True)
    )
    return causal / whole


def test_a_causal_mask_spares_nothing_within_one_block_of_keys() -> None:
    assert causal_share(512) == 1


def test_a_causal_mask_spares_whole_blocks_of_512_keys() -> None:
    """Of 1,024 keys half of the rows meet one block, the others both."""
    assert causal_share(1024) == 0.75


def test_its_backward_makes_five_products_for_two() -> None:
    query = tensor(2, 3, 10, 8)
    name = "_scaled_dot_product_flash_attention_for_cpu"

    forward = work_of(call(name, (query, query, query), query)).flops
    backward = work_of(call(f"{name}_backward", (query, query, query, query), query)).flops

    assert 2 * backward == 5 * forward


def test_an_lstm_counts_four_gates_of_each_step() -> None:
    steps, batch, width, hidden = 5, 2, 3, 4
    args = (tensor(steps, batch, width), tensor(4 * hidden, width), tensor(4 * hidden, hidden))

    found = work_of(call("mkldnn_rnn_layer", args, tensor(steps, batch, hidden)))

    assert found.flops == 2 * steps * batch * 4 * hidden * (width + hidden)


def test_what_allocates_only_does_nothing() -> None:
    assert work_of(call("empty_like", (tensor(10),), tensor(10))).bytes == 0


def test_an_operation_in_place_reads_and_writes_its_first_tensors() -> None:
    lists = ((tensor(10), tensor(20)), (tensor(10), tensor(20)))

    assert work_of(call("_foreach_add_.List", lists)).bytes == 4 * 3 * (10 + 20)


def test_a_lookup_reads_what_it_picks_and_not_the_table() -> None:
    args = (tensor(50_000, 64), tensor(8, dtype="int64"))

    assert work_of(call("embedding", args, tensor(8, 64))).bytes == 2 * 4 * 8 * 64


def test_a_filter_for_each_channel_is_a_class_and_another_when_it_strides() -> None:
    args = (tensor(2, 6, 8, 8), tensor(6, 1, 3, 3), None)
    strided = (*args, (2, 2), *MORE[1:], 6)

    kinds = [
        work_of(call("convolution", one, tensor(2, 6, 8, 8))).kind
        for one in ((*args, *MORE, 6), strided)
    ]

    assert kinds == ["depthwise", "depthwise strided"]


def test_the_fused_encoder_layer_counts_its_six_products() -> None:
    batch, length, width, heads = 2, 5, 8, 4
    weights = (tensor(3 * width, width), tensor(width, width), tensor(32, width), tensor(width, 32))
    args = (tensor(batch, length, width), width, heads, *weights)

    found = work_of(call("_transformer_encoder_layer_fwd", args, tensor(batch, length, width)))

    products = 3 * width * width + width * width + 2 * 32 * width
    scores = 2 * batch * length * length * width
    assert found.kind == "gemm"
    assert found.flops == 2 * batch * length * products + 2 * scores
