"""Convolution and pooling from tensors up, without a loop over pixels (sections 7.2 to 7.5)."""

import math
from typing import Literal

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn

from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Count

Size = int | tuple[int, ...]  # one number stands for height and width


def pair(size: Size) -> tuple[int, int]:
    """The size of height and width."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def windows(
    X: Num[Tensor, "*batch height width"], size: Size, stride: Size = 1, dilation: Size = 1
) -> Num[Tensor, "*batch new_height new_width kernel_height kernel_width"]:
    """Every window of X as a view: nothing is copied.

    Raises:
        UsageError: not a single window fits.
    """
    (gap_h, gap_w), (step_h, step_w) = pair(dilation), pair(stride)
    kernel_h, kernel_w = pair(size)
    reach_h, reach_w = (kernel_h - 1) * gap_h + 1, (kernel_w - 1) * gap_w + 1
    height, width = X.shape[-2:]
    if height < reach_h or width < reach_w:
        raise UsageError(
            f"a window of {reach_h}×{reach_w} does not fit into {height}×{width} pixels "
            "(padding counted): pass more padding or a smaller window"
        )
    views = X.unfold(-2, reach_h, step_h).unfold(-2, reach_w, step_w)
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
    X: Float[Tensor, "channels height width"],
    K: Float[Tensor, "channels kernel_height kernel_width"],
) -> Float[Tensor, "new_height new_width"]:
    """The sum of the cross-correlations of all channels (section 7.4.1)."""
    return torch.einsum("chwij,cij->hw", windows(X, K.shape[-2:]), K)


def corr2d_multi_in_out(
    X: Float[Tensor, "channels height width"],
    K: Float[Tensor, "out_channels channels kernel_height kernel_width"],
) -> Float[Tensor, "out_channels new_height new_width"]:
    """`corr2d_multi_in` with one kernel for each output channel (section 7.4.2)."""
    return torch.einsum("chwij,ocij->ohw", windows(X, K.shape[-2:]), K)


def corr2d_multi_in_out_1x1(
    X: Float[Tensor, "channels height width"], K: Float[Tensor, "out_channels channels 1 1"]
) -> Float[Tensor, "out_channels height width"]:
    """A 1×1 convolution: one dense layer for the channels of every pixel (section 7.4.3)."""
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
    """Cross-correlation of a batch, ⌊(n + 2p − d(k − 1) − 1)/s⌋ + 1 numbers an axis (section 7.3).

    Output channels see all input channels, or only those of their own group.

    Args:
        X: images.
        weight: one kernel for each output channel.
        bias: one number for each output channel.
        stride: step between windows.
        padding: rows and columns of zeros on each side.
        dilation: distance of the pixels in a window.
        groups: into how many parts the channels are cut.
    """
    if X.shape[1] != weight.shape[1] * groups or len(weight) % groups:
        raise UsageError(
            f"a weight of {_shape(weight)} in {groups} groups wants "
            f"{weight.shape[1] * groups} channels, got images of {_shape(X)}: "
            "make in_channels and groups fit the data"
        )
    pad_h, pad_w = pair(padding)
    X = torch.constant_pad_nd(X, (pad_w, pad_w, pad_h, pad_h))
    views = windows(X, weight.shape[-2:], stride, dilation).unflatten(1, (groups, -1))
    # one row for each number of a window, one column for each window: one matrix product
    columns = views.permute(1, 2, 5, 6, 0, 3, 4).flatten(4).flatten(1, 3)
    rows = weight.unflatten(0, (groups, -1)).flatten(2)
    sizes = (len(weight), len(X), *views.shape[3:5])
    output = (rows @ columns).reshape(sizes).transpose(0, 1)
    return output if bias is None else output + bias[:, None, None]


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
    """
    (pool_h, pool_w), (pad_h, pad_w) = pair(pool_size), pair(padding)
    if 2 * pad_h > pool_h or 2 * pad_w > pool_w:
        raise UsageError(
            f"padding {pad_h}×{pad_w} is more than half the window {pool_h}×{pool_w}: "
            "some windows would hold no pixel: pass less padding"
        )
    if mode not in ("max", "avg"):
        raise UsageError(f"mode wants max or avg, got {mode!r}")
    empty = -math.inf if mode == "max" else 0
    if pad_h or pad_w:  # integers have no −∞, and need none without padding
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
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        if in_channels % groups or out_channels % groups:
            raise UsageError(
                f"groups wants to divide in_channels and out_channels, got {groups} for "
                f"{in_channels} and {out_channels}: pass a common divisor"
            )
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


class MaxPool2d(nn.Module):
    """Maximum pooling; the windows do not overlap unless a stride says so."""

    mode: Literal["max", "avg"] = "max"

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0):
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def forward(
        self, X: Num[Tensor, "*batch height width"]
    ) -> Num[Tensor, "*batch new_height new_width"]:
        """`pool2d` with the layer's settings."""
        return pool2d(X, self.kernel_size, self.mode, self.stride, self.padding)


class AvgPool2d(MaxPool2d):
    """Average pooling; zeros of the padding count."""

    mode = "avg"


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape))
