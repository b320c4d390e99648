"""Sizes, windows over an axis, and what they see: against torch, gradients and loops."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from freedive.core.errors import UsageError
from freedive.topics.convolution.size_lab import misread
from freedive.topics.convolution.sizes import Axis, at_least, output_size, pair, size_by_total, span

AXES = st.builds(
    Axis,
    n=st.integers(1, 12),
    kernel=st.integers(1, 5),
    padding=st.integers(0, 5),
    stride=st.integers(1, 6),
    dilation=st.integers(1, 3),
).filter(lambda axis: axis.dilation * (axis.kernel - 1) < axis.n + 2 * axis.padding)


def gradients(axis):
    """How often each pixel of a row is used, by torch."""
    row = torch.zeros(1, 1, axis.n, requires_grad=True)
    ones = torch.ones(1, 1, axis.kernel)
    output = F.conv1d(row, ones, None, axis.stride, axis.padding, axis.dilation)
    (uses,) = torch.autograd.grad(output.sum(), row, materialize_grads=True)
    return output.shape[-1], uses[0, 0].int().tolist()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(axis=AXES)
def test_an_axis_knows_what_torch_does(axis):
    size, uses = gradients(axis)
    assert axis.size == len(axis.windows()) == size
    assert axis.uses()[axis.padding : axis.padding + axis.n] == uses
    assert axis.unseen() == [pixel for pixel, count in enumerate(uses) if count == 0]
    assert size_by_total(axis.n, axis.kernel, 2 * axis.padding, axis.stride, axis.dilation) == size


@settings(max_examples=100, deadline=None, derandomize=True)
@given(axis=AXES)
def test_windows_fill_the_cells_up_to_what_is_left_over(axis):
    windows = axis.windows()
    assert windows[0][0] == 0
    assert windows[-1][-1] + axis.left_over == axis.cells - 1
    assert axis.left_over < axis.stride
    assert {len(window) for window in windows} == {axis.kernel}
    assert sum(map(axis.is_pixel, range(axis.cells))) == axis.n
    assert sum(axis.uses()) == axis.size * axis.kernel


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    n=st.integers(1, 9), kernel=st.integers(1, 4), total=st.integers(0, 5), stride=st.integers(1, 4)
)
def test_an_odd_padding_in_all_is_allowed(n, kernel, total, stride):
    if n + total >= kernel:
        row = F.pad(torch.zeros(1, 1, n), (total // 2, total - total // 2))
        output = F.conv1d(row, torch.ones(1, 1, kernel), None, stride)
        assert size_by_total(n, kernel, total, stride) == output.shape[-1]


def test_mistaken_paddings_are_what_the_other_formula_would_give():
    rows = misread(Axis(n=10, kernel=3, padding=2, stride=1))
    assert [row["size"] for row in rows] == [16, 10]
    assert "2·4" in rows[0]["formula"]
    assert "+ 2 + 1)/1" in rows[1]["formula"]
    assert misread(Axis(n=2, kernel=5, padding=2))[1]["size"] == "no window fits"


def test_sizes_below_the_least_are_refused_by_name():
    for wrong, told in (
        (lambda: output_size(8, 3, stride=0), "stride wants whole numbers of at least 1, got 0"),
        (lambda: output_size(8, 3, padding=-1), "padding wants whole numbers of at least 0"),
        (lambda: output_size(8, 0), "kernel wants whole numbers of at least 1, got 0"),
        (lambda: output_size(8, 3, dilation=0), "dilation wants whole numbers of at least 1"),
        (lambda: output_size(3, 3, 0, 1, 2), "dilation 2 spans 5 pixels, got 3 with the padding"),
        (lambda: span(4, 5), "kernel of 5 at dilation 1 spans 5 pixels, got 4"),
        (lambda: at_least(2, window=(3, 1)), r"window wants .* at least 2, got \(3, 1\)"),
        (lambda: pair((1, 2, 3)), r"two \(height, width\), got \(1, 2, 3\)"),
        (lambda: pair("33"), "got '33'"),
        (lambda: Axis(2, 3).size, "spans 3 pixels, got 2"),
    ):
        with pytest.raises(UsageError, match=told):
            wrong()


def test_one_size_stands_for_both_and_lists_are_allowed():
    assert pair(3) == (3, 3)
    assert pair((2, 5)) == pair([2, 5]) == pair(torch.Size([2, 5])) == (2, 5)
