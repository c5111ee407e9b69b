from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from tools.profiling.flops import flops_of

sizes = st.integers(1, 9)


@given(sizes, sizes, sizes, sizes)
def test_a_product_sums_over_what_both_share(n: int, rows: int, shared: int, columns: int) -> None:
    node = helper.make_node("MatMul", ["a", "b"], ["c"])
    shapes = {"a": (n, rows, shared), "b": (shared, columns), "c": (n, rows, columns)}
    assert flops_of(node, shapes) == sum(2 for _ in range(n * rows * columns * shared))


def test_a_product_of_a_turned_factor_sums_over_its_rows() -> None:
    node = helper.make_node("Gemm", ["a", "b"], ["c"], transA=1)
    assert flops_of(node, {"a": (7, 2), "b": (7, 3), "c": (2, 3)}) == 2 * 2 * 3 * 7


@given(sizes, sizes, sizes, sizes)
def test_a_convolution_of_single_channels_costs_no_more_than_one_kernel_each(
    n: int, channels: int, width: int, places: int
) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], group=channels)
    shapes = {"w": (channels, 1, width), "y": (n, channels, places)}
    assert flops_of(node, shapes) == 2 * n * channels * places * width


def test_a_transposed_convolution_is_counted_at_the_places_it_reads() -> None:
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[4])
    shapes = {"x": (1, 3, 10), "w": (3, 5, 8), "y": (1, 5, 44)}
    assert flops_of(node, shapes) == 2 * 10 * 3 * 5 * 8


@pytest.mark.parametrize(("kind", "gates"), [("RNN", 1), ("GRU", 3), ("LSTM", 4)])
def test_a_recurrent_layer_multiplies_inputs_and_hidden_values_of_every_frame(
    kind: str, gates: int
) -> None:
    node = helper.make_node(kind, ["x", "w", "r"], ["y"])
    shapes = {"x": (6, 2, 5), "w": (1, gates * 7, 5), "r": (1, gates * 7, 7)}
    assert flops_of(node, shapes) == 2 * 6 * 2 * gates * 7 * (5 + 7)


def test_what_is_no_product_counts_as_nothing() -> None:
    assert flops_of(helper.make_node("Add", ["a", "b"], ["c"]), {}) == 0
