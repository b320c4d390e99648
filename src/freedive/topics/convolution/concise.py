"""Convolution and pooling with torch.nn (sections 7.2 to 7.5)."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from freedive.core.errors import UsageError
from freedive.topics.convolution.sizes import Size


def corr2d(
    X: Float[Tensor, "height width"], K: Float[Tensor, "kernel_height kernel_width"]
) -> Float[Tensor, "new_height new_width"]:
    """Cross-correlation of two matrices (section 7.2.1)."""
    return F.conv2d(X[None, None], K[None, None])[0, 0]


def convolve2d(
    X: Float[Tensor, "height width"], K: Float[Tensor, "kernel_height kernel_width"]
) -> Float[Tensor, "new_height new_width"]:
    """Convolution in the strict sense: the kernel is flipped in both axes (section 7.2.5)."""
    return corr2d(X, K.flip(0, 1))


def corr2d_multi_in(
    X: Float[Tensor, "channels height width"],
    K: Float[Tensor, "channels kernel_height kernel_width"],
) -> Float[Tensor, "new_height new_width"]:
    """The sum of the cross-correlations of all channels (section 7.4.1)."""
    return F.conv2d(X[None], K[None])[0, 0]


def corr2d_multi_in_out(
    X: Float[Tensor, "channels height width"],
    K: Float[Tensor, "out_channels channels kernel_height kernel_width"],
) -> Float[Tensor, "out_channels new_height new_width"]:
    """`corr2d_multi_in` with one kernel for each output channel (section 7.4.2)."""
    return F.conv2d(X[None], K)[0]


def corr2d_multi_in_out_1x1(
    X: Float[Tensor, "channels height width"], K: Float[Tensor, "out_channels channels 1 1"]
) -> Float[Tensor, "out_channels height width"]:
    """A 1×1 convolution: one dense layer for the channels of every pixel (section 7.4.3)."""
    return F.linear(X.movedim(0, -1), K.flatten(1)).movedim(-1, 0)


conv2d = F.conv2d


def pool2d(
    X: Float[Tensor, "*batch height width"],
    pool_size: Size,
    mode: Literal["max", "avg"] = "max",
    stride: Size | None = None,
    padding: Size = 0,
) -> Float[Tensor, "*batch new_height new_width"]:
    """The maximum or the average of every window (section 7.5)."""
    if mode not in ("max", "avg"):
        raise UsageError(f"mode wants max or avg, got {mode!r}")
    pool = F.max_pool2d if mode == "max" else F.avg_pool2d
    if X.dim() == 2:
        return pool(X[None], pool_size, stride, padding)[0]
    return pool(X, pool_size, stride, padding)


Conv2d = nn.Conv2d
MaxPool2d = nn.MaxPool2d
AvgPool2d = nn.AvgPool2d
