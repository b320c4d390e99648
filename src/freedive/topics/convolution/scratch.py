"""Convolution and pooling from tensors up, without a loop over pixels (sections 7.2 to 7.5)."""

import math
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn

from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Count
from freedive.topics.convolution.checks import (
    refuse_channels,
    refuse_groups,
    refuse_integers,
    refuse_other_channels,
    refuse_padding,
)
from freedive.topics.convolution.sizes import Size, at_least, pair, span


def windows(
    X: Num[Tensor, "*batch height width"], size: Size, stride: Size = 1, dilation: Size = 1
) -> Num[Tensor, "*batch new_height new_width kernel_height kernel_width"]:
    """Every window of X as a view: nothing is copied.

    Raises:
        UsageError: not a single window fits.
    """
    at_least(1, stride=stride)
    (kernel_h, kernel_w), (step_h, step_w), (gap_h, gap_w) = map(pair, (size, stride, dilation))
    span_h, span_w = span(X.shape[-2], kernel_h, gap_h), span(X.shape[-1], kernel_w, gap_w)
    views = X.unfold(-2, span_h, step_h).unfold(-2, span_w, step_w)
    return views if gap_h == gap_w == 1 else views[..., ::gap_h, ::gap_w]


def corr2d(
    X: Num[Tensor, "height width"], K: Num[Tensor, "kernel_height kernel_width"]
) -> Num[Tensor, "new_height new_width"]:
    """Cross-correlation: y_hw = Σ_ij x_(h+i)(w+j) k_ij (section 7.2.1).

    >>> corr2d(torch.arange(9.0).reshape(3, 3), torch.arange(4.0).reshape(2, 2))
    tensor([[19., 25.],
            [37., 43.]])
    """
    return torch.einsum("hwij,ij->hw", windows(X, K.shape), K)


def convolve2d(
    X: Num[Tensor, "height width"], K: Num[Tensor, "kernel_height kernel_width"]
) -> Num[Tensor, "new_height new_width"]:
    """Convolution in the strict sense: the kernel is flipped in both axes (section 7.2.5)."""
    return corr2d(X, K.flip(0, 1))


def corr2d_multi_in(
    X: Num[Tensor, "channels height width"],
    K: Num[Tensor, "channels kernel_height kernel_width"],
) -> Num[Tensor, "new_height new_width"]:
    """The sum of the cross-correlations of all channels (section 7.4.1)."""
    refuse_other_channels(X, K)
    return torch.einsum("chwij,cij->hw", windows(X, K.shape[-2:]), K)


def corr2d_multi_in_out(
    X: Num[Tensor, "channels height width"],
    K: Num[Tensor, "out_channels channels kernel_height kernel_width"],
) -> Num[Tensor, "out_channels new_height new_width"]:
    """`corr2d_multi_in` with one kernel for each output channel (section 7.4.2)."""
    refuse_other_channels(X, K)
    return torch.einsum("chwij,ocij->ohw", windows(X, K.shape[-2:]), K)


def corr2d_multi_in_out_1x1(
    X: Num[Tensor, "channels height width"], K: Num[Tensor, "out_channels channels 1 1"]
) -> Num[Tensor, "out_channels height width"]:
    """A 1×1 convolution: one dense layer for the channels of every pixel (section 7.4.3)."""
    refuse_other_channels(X, K)
    if K.shape[2:] != (1, 1):
        height, width = K.shape[2:]
        raise UsageError(f"wanted are 1×1 kernels, got {height}×{width}: use corr2d_multi_in_out")
    return (K.flatten(1) @ X.flatten(1)).reshape(len(K), *X.shape[1:])


def conv2d(
    X: Float[Tensor, "batch channels height width"],
    weight: Float[Tensor, "out_channels group_channels kernel_height kernel_width"],
    bias: Float[Tensor, " out_channels"] | None = None,
    stride: Size = 1,
    padding: Size = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Float[Tensor, "batch out_channels new_height new_width"]:
    """Cross-correlation of a batch, ⌊(n + 2P − d(k − 1) − 1)/s⌋ + 1 numbers an axis (section 7.3).

    Output channels see all input channels, or only those of their own group.

    Args:
        X: images.
        weight: one kernel for each output channel.
        bias: one number for each output channel.
        stride: step between windows.
        padding: rows and columns of zeros on each side.
        dilation: distance of the pixels in a window.
        groups: into how many parts the channels are cut.

    Raises:
        UsageError: a setting is too small, no window fits, or channels and groups do not agree.
    """
    at_least(0, padding=padding)
    refuse_channels(X, weight, bias, groups)
    (pad_h, pad_w), (kernel_h, kernel_w) = pair(padding), weight.shape[2:]
    X = torch.constant_pad_nd(X, (pad_w, pad_w, pad_h, pad_h))
    views = windows(X, (kernel_h, kernel_w), stride, dilation).unflatten(1, (groups, -1))
    # one row for each number of a window, one column for each window: one matrix product
    columns = views.permute(1, 2, 5, 6, 0, 3, 4).flatten(4).flatten(1, 3)
    rows = weight.unflatten(0, (groups, -1)).flatten(2)
    sizes = (len(weight), X.shape[0], *views.shape[3:5])
    output = (rows @ columns).reshape(sizes).transpose(0, 1)
    if bias is None:
        return output
    return output + bias[:, None, None].to(output.dtype)  # under autocast the product is half


def pool2d(
    X: Num[Tensor, "*batch height width"],
    pool_size: Size,
    mode: Literal["max", "avg"] = "max",
    stride: Size | None = None,
    padding: Size = 0,
) -> Num[Tensor, "*batch new_height new_width"]:
    """The maximum or the average of every window (section 7.5).

    Args:
        X: images, or one matrix.
        pool_size: height and width of a window.
        mode: max or avg.
        stride: step between windows; None takes ``pool_size``, so that they do not overlap.
        padding: rows and columns on each side: −∞ for the maximum, zeros for the average.

    Raises:
        UsageError: a setting is too small, no window fits, or one might hold nothing but padding.
    """
    if mode not in ("max", "avg"):
        raise UsageError(f"mode wants max or avg, got {mode!r}")
    refuse_padding(pool_size, padding)
    pad_h, pad_w = pair(padding)
    if mode == "avg" or pad_h or pad_w:
        refuse_integers(X)
    if pad_h or pad_w:
        empty = -math.inf if mode == "max" else 0
        X = torch.constant_pad_nd(X, (pad_w, pad_w, pad_h, pad_h), empty)
    views = windows(X, pool_size, pool_size if stride is None else stride).flatten(-2)
    return views.max(dim=-1).values if mode == "max" else views.mean(dim=-1)


class Conv2d(nn.Module):
    """A convolutional layer with weights and biases from U(−1/√n, 1/√n), n inputs to an output.

    Its arguments and parameters are those of `torch.nn.Conv2d`.
    """

    def __init__(
        self,
        in_channels: Count,
        out_channels: Count,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: Count = 1,
        bias: bool = True,
    ):
        super().__init__()
        at_least(1, in_channels=in_channels, out_channels=out_channels, kernel_size=kernel_size)
        at_least(1, stride=stride, dilation=dilation, groups=groups)
        at_least(0, padding=padding)
        refuse_groups(in_channels, out_channels, groups)
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        shape = (out_channels, in_channels // groups, *pair(kernel_size))
        bound = 1 / math.sqrt(math.prod(shape[1:]))
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        self.bias: nn.Parameter | None = None
        if bias:
            self.bias = nn.Parameter(torch.empty(out_channels).uniform_(-bound, bound))

    def forward(
        self, X: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch out_channels new_height new_width"]:
        """`conv2d` with the layer's weight and bias."""
        settings = (self.stride, self.padding, self.dilation, self.groups)
        return conv2d(X, self.weight, self.bias, *settings)


class Pool2d(nn.Module):
    """Base of both poolings; the windows do not overlap unless a stride says so."""

    mode: ClassVar[Literal["max", "avg"]]

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0):
        super().__init__()
        at_least(1, stride=kernel_size if stride is None else stride)
        refuse_padding(kernel_size, padding)
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def forward(
        self, X: Num[Tensor, "*batch height width"]
    ) -> Num[Tensor, "*batch new_height new_width"]:
        """`pool2d` with the layer's settings."""
        return pool2d(X, self.kernel_size, self.mode, self.stride, self.padding)


class MaxPool2d(Pool2d):
    """Maximum pooling."""

    mode = "max"


class AvgPool2d(Pool2d):
    """Average pooling; zeros of the padding count."""

    mode = "avg"
