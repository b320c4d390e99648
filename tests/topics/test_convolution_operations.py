"""The worked examples: every written sum is right, and the output is torch's."""

import itertools
from typing import get_args

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.topics import loops

from freedive.core.errors import UsageError
from freedive.topics.convolution.drawing import rim, short, whole
from freedive.topics.convolution.operations import POOLINGS, Example, OperationName
from freedive.topics.convolution.operations_lab import by_torch

OPERATIONS = get_args(OperationName)


def worth(text):
    """The number that a written sum comes to, and the one it says."""
    left, right = text.replace("·", "*").replace("−∞", "-inf").replace("−", "-").split(" = ")
    return eval(left, {"inf": float("inf"), "max": max}), float(right)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    operation=st.sampled_from(OPERATIONS),
    size=st.integers(1, 4),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
)
def test_every_sum_is_right(operation, size, kernel, stride, padding, dilation):
    if operation in POOLINGS:
        dilation = 1
        assume(2 * padding <= kernel)
    side = 1 if operation == "1x1" else kernel
    assume(size + 2 * padding > dilation * (side - 1))
    example = Example(operation, size, kernel, stride, padding, dilation)
    Y = example.output()
    assert torch.allclose(Y, by_torch(example))
    steps = list(example.steps())
    assert [step.place for step in steps] == list(itertools.product(*map(range, Y.shape)))
    for step in steps:
        counted, said = worth(example.sum_of(step))
        assert counted == pytest.approx(step.value)
        assert said == pytest.approx(step.value, rel=0.01)  # three digits are written
        assert step.value == Y[step.place]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_torchs_output_is_that_of_the_books_loops(operation):
    example = Example(operation, size=4, kernel=3, stride=2, padding=1)
    X = example.image
    if operation in POOLINGS:
        expected = loops.pool2d(X[0], 3, operation[:3], 2, 1)[None]
    else:
        expected = loops.conv2d(X[None], example.weight, None, 2, 1, 1, example.groups)[0]
    assert torch.allclose(example.output(), expected)


@pytest.mark.parametrize(
    ("operation", "printed"),
    [
        ("cross-correlation", [[[19, 25], [37, 43]]]),
        ("convolution", [[[5, 11], [23, 29]]]),
        ("channels", [[[56, 72], [104, 120]]]),
        (
            "output-channels",
            [[[56, 72], [104, 120]], [[76, 100], [148, 172]], [[96, 128], [192, 224]]],
        ),
        ("max-pooling", [[[4, 5], [7, 8]]]),
        ("avg-pooling", [[[2, 3], [5, 6]]]),
    ],
)
def test_the_defaults_are_the_books_examples(operation, printed):
    assert Example(operation).output().tolist() == printed


def test_sums_look_as_one_would_write_them():
    def first(*arguments, **more):
        example = Example(*arguments, **more)
        return example.sum_of(next(iter(example.steps())))

    assert first("cross-correlation") == "0·0 + 1·1 + 3·2 + 4·3 = 19"
    assert first("channels").startswith("(0·0 + 1·1 + 3·2 + 4·3) + (1·1 + ")
    assert first("1x1") == "0·0 + 1·1 + 2·2 = 5"
    assert first("max-pooling", padding=1) == "max(−∞, −∞, −∞, 0) = 0"
    assert first("avg-pooling") == "(0 + 1 + 3 + 4) / 4 = 2"


def test_a_dilated_pooling_is_refused_and_small_images_too():
    with pytest.raises(UsageError, match="pooling has no dilation, got 2"):
        Example("max-pooling", dilation=2)
    with pytest.raises(UsageError, match="spans 4 pixels, got 3"):
        Example("cross-correlation", kernel=4).output()


def test_cells_and_their_numbers():
    M = torch.zeros(3, 4)
    assert len(whole(M)) == 12
    assert whole(M) - rim(M, 1) == {(1, 1), (1, 2)}
    assert rim(M, 0) == set()
    assert rim(M, 2) == whole(M)
    assert [short(x) for x in (3.0, -1.0, 1 / 3, float("-inf"), 123.0)] == [
        "3", "−1", "0.333", "−∞", "123",
    ]  # fmt: skip
