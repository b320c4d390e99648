"""Receptive fields: against torch's gradients in two dimensions and freedive's own summary."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from freedive.core.errors import UsageError
from freedive.insight.summary import summary
from freedive.topics.convolution.lenet import LeNet
from freedive.topics.convolution.receptive_field import (
    Field,
    Layer,
    measured,
    paths,
    read_layers,
    receptive_fields,
)

ALEXNET = "11/4 3/2 5/1 3/2 3/1 3/1 3/1 3/2"
LAYERS = st.builds(Layer, st.integers(1, 4), st.integers(1, 3), st.integers(1, 2))


def sizes(text):
    return [field.size for field in receptive_fields(read_layers(text))[1:]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5/1 2/2 5/1 2/2", [5, 6, 14, 16]),
        ("3 3 3", [3, 5, 7]),
        ("3/1/1, 3/1/2, 3/1/4", [3, 7, 15]),
        ("1/5", [1]),
        (ALEXNET, [11, 19, 51, 67, 99, 131, 163, 195]),
    ],
)
def test_known_fields(text, expected):
    assert sizes(text) == expected


@settings(max_examples=60, deadline=None, derandomize=True)
@given(layers=st.lists(LAYERS, min_size=1, max_size=4))
def test_the_recursion_is_what_gradients_reach_in_two_dimensions(layers):
    field = receptive_fields(layers)[-1]
    assume(field.size + field.jump < 60)
    net = nn.Sequential(
        *(nn.Conv2d(1, 1, x.kernel, x.stride, dilation=x.dilation, bias=False) for x in layers)
    ).double()
    for parameter in net.parameters():
        nn.init.uniform_(parameter, 0.5, 1.0)
    X = torch.zeros(
        1, 1, field.size + field.jump, field.size, requires_grad=True, dtype=torch.double
    )
    Y = net(X)
    assert Y.shape[2:] == (2, 1)
    upper, lower = (
        torch.autograd.grad(Y[0, 0, i, 0], X, retain_graph=True)[0][0, 0] for i in (0, 1)
    )
    rows, columns = upper.nonzero().unbind(1)
    assert [int(x.max() - x.min()) + 1 for x in (rows, columns)] == [field.size] * 2
    assert int(lower.nonzero()[:, 0].min()) == field.jump
    extent, reached = measured(paths(layers))
    assert extent == field.size
    assert reached == len(rows.unique())


def test_the_summary_of_a_network_says_the_same():
    blocks = {row.path: row for row in summary(LeNet(), (1, 1, 28, 28)).layers}
    fields = receptive_fields(read_layers("5/1 2/2 5/1 2/2"))[1:]
    for path, field in zip(("net.0", "net.2", "net.3", "net.5"), fields, strict=True):
        assert blocks[path].receptive_field == (field.size,) * 2
        assert blocks[path].jump == (field.jump,) * 2


def test_paths_are_counted():
    assert paths(read_layers("3 3")).tolist() == [0, 1, 2, 3, 2, 1, 0]
    assert measured(paths(read_layers("1/3 2"))) == (4, 2)  # two pixels between are never seen


def test_layers_are_read_in_all_three_forms():
    assert read_layers("3 5/2, 7/1/4") == [Layer(3), Layer(5, 2), Layer(7, 1, 4)]
    assert [str(layer) for layer in read_layers("3 5/2 7/1/4")] == ["3/1", "5/2", "7/1/4"]
    assert receptive_fields([]) == [Field(1, 1)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "wanted are 1 to 100 layers, got 0"),
        ("3 " * 101, "wanted are 1 to 100 layers, got 101"),
        ("3/x", "got '3/x': pass such as"),
        ("3//1", "got '3//1'"),
        ("-3", "got '-3'"),
        ("1/1/1/1", "got '1/1/1/1'"),
        ("3/0", "stride wants whole numbers of at least 1, got 0"),
        ("0", "kernel wants whole numbers of at least 1, got 0"),
    ],
)
def test_what_are_no_layers_is_refused(text, told):
    with pytest.raises(UsageError, match=told):
        read_layers(text)


def test_fields_that_are_too_long_to_measure_are_refused():
    with pytest.raises(UsageError, match=r"see \d+ pixels, more than 10000: pass fewer"):
        paths(read_layers("5/9 " * 5))
    assert measured(paths(read_layers("3 " * 100))) == (201, 201)
