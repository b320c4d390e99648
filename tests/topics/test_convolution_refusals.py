"""What convolution and pooling refuse: one line that names the numbers and the way out."""

import inspect
import re

import pytest
import torch

from freedive.core.errors import UsageError
from freedive.topics.convolution import scratch

BAD = {
    "spans 5 pixels, got 4 with the padding: pass more padding": {"weight": (2, 3, 5, 5)},
    "kernel of 3 at dilation 3 spans 7 pixels, got 6 with": {"padding": 1, "dilation": (1, 3)},
    "wants 3 channels, got images of 1×1×4×4": {"X": (1, 1, 4, 4)},
    "2×3×3×3 in 2 groups wants 6 channels, got images of 1×3×4×4": {"groups": 2},
    "divide the input and output channels, got 3 for 3 and 2": {
        "weight": (2, 1, 3, 3),
        "groups": 3,
    },
    "bias wants one number for each of 2 output channels, got 1": {"bias": (1,)},
    "stride wants whole numbers of at least 1, got 0": {"stride": 0},
    "dilation wants whole numbers of at least 1, got 0": {"dilation": (1, 0)},
    "groups wants whole numbers of at least 1, got 0": {"groups": 0},
    "kernel wants whole numbers of at least 1, got 0": {"weight": (2, 3, 0, 3)},
    "padding wants whole numbers of at least 0, got -1": {"padding": -1},
    "one whole number, or two (height, width), got (1, 2, 3)": {"stride": (1, 2, 3)},
    "one whole number, or two (height, width), got 1.5": {"stride": 1.5},
}


@pytest.mark.parametrize("told", BAD)
def test_conv2d_says_what_was_wrong(told):
    arguments = {"X": (1, 3, 4, 4), "weight": (2, 3, 3, 3), **BAD[told]}
    tensors = {name: torch.zeros(arguments.pop(name)) for name in ("X", "weight")}
    if "bias" in arguments:
        arguments["bias"] = torch.zeros(arguments["bias"])
    with pytest.raises(UsageError, match=re.escape(told)) as caught:
        inspect.unwrap(scratch.conv2d)(**tensors, **arguments)
    assert "\n" not in str(caught.value)


def test_the_books_functions_say_what_was_wrong():
    X, K = torch.zeros(3, 4, 4), torch.zeros(2, 3, 3, 3)
    for name, arguments, told in (
        ("corr2d", (X[0], torch.zeros(5, 2)), "kernel of 5 at dilation 1 spans 5 pixels, got 4"),
        ("convolve2d", (X[0], torch.zeros(2, 5)), "spans 5 pixels, got 4"),
        ("corr2d_multi_in", (X, K[0, :1]), "1×3×3 wants 1 channels, got an image of 3×4×4"),
        ("corr2d_multi_in_out", (X[:2], K), "2×3×3×3 wants 3 channels, got an image of 2×4×4"),
        ("corr2d_multi_in_out_1x1", (X[:2], K[..., :1, :1]), "2×3×1×1 wants 3 channels"),
        ("corr2d_multi_in_out_1x1", (X, K), "wanted are 1×1 kernels, got 3×3"),
        ("conv2d", (X, K), "images of batch×channels×height×width"),
    ):
        with pytest.raises(UsageError, match=re.escape(told)):
            inspect.unwrap(getattr(scratch, name))(*arguments)


def test_pooling_says_what_was_wrong():
    X = torch.zeros(1, 3, 4, 4)
    for arguments, told in (
        ((5,), "kernel of 5 at dilation 1 spans 5 pixels, got 4"),
        ((2, "max", None, 2), "padding 2 is more than half the window 2"),
        ((2, "max", None, -1), "padding wants whole numbers of at least 0, got -1"),
        ((2, "max", 0), "stride wants whole numbers of at least 1, got 0"),
        ((0,), "pool_size wants whole numbers of at least 1, got 0"),
        ((2, "min"), "max or avg, got 'min'"),
    ):
        with pytest.raises(UsageError, match=told):
            scratch.pool2d(X, *arguments)
    for arguments in ((2, "avg"), (2, "max", None, 1)):
        with pytest.raises(UsageError, match=r"floating-point numbers, got int64: .*X.float()"):
            scratch.pool2d(X.long(), *arguments)


def test_layers_refuse_the_same_when_they_are_made():
    for changed, told in (
        ({"groups": 2}, "groups wants to divide .* got 2 for 3 and 4"),
        ({"groups": 0}, "groups wants .* at least 1, got 0"),
        ({"kernel_size": 0}, "kernel_size wants .* at least 1, got 0"),
        ({"in_channels": 0}, "in_channels wants .* at least 1, got 0"),
        ({"out_channels": -1}, "out_channels wants .* at least 1, got -1"),
        ({"stride": (0, 1)}, "stride wants .* at least 1"),
        ({"dilation": 0}, "dilation wants .* at least 1, got 0"),
        ({"padding": -1}, "padding wants .* at least 0, got -1"),
    ):
        with pytest.raises(UsageError, match=told):
            scratch.Conv2d(**{"in_channels": 3, "out_channels": 4, "kernel_size": 3, **changed})
    for layer in (scratch.MaxPool2d, scratch.AvgPool2d):
        for arguments in ((0,), (2, 0), (2, 1, -1), (2, 1, 2)):
            with pytest.raises(UsageError):
                layer(*arguments)
    with pytest.raises(UsageError, match="spans 5 pixels, got 4 with the padding"):
        scratch.Conv2d(3, 4, 5)(torch.zeros(1, 3, 4, 4))
