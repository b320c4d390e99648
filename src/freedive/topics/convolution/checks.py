"""What convolution and pooling refuse, each in one line with the way out (sections 7.2 to 7.5)."""

from torch import Tensor

from freedive.core.errors import UsageError
from freedive.topics.convolution.sizes import Size, at_least, pair


def refuse_other_channels(X: Tensor, K: Tensor) -> None:
    """Raise `UsageError` where a kernel is not made for as many channels as an image has."""
    if X.shape[-3] != K.shape[-3]:
        raise UsageError(
            f"a kernel of {_shape(K)} wants {K.shape[-3]} channels, got an image of {_shape(X)}: "
            "pass as many channels in both"
        )


def refuse_channels(X: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> None:
    """Raise `UsageError` where channels, groups and biases do not agree."""
    at_least(1, groups=groups)
    if X.dim() != 4 or weight.dim() != 4:
        raise UsageError(
            "wanted are images of batch×channels×height×width and a weight of output × input "
            f"channels × height × width, got {_shape(X)} and {_shape(weight)}: add the missing axes"
        )
    if X.shape[1] != weight.shape[1] * groups:
        raise UsageError(
            f"a weight of {_shape(weight)} in {groups} groups wants "
            f"{weight.shape[1] * groups} channels, got images of {_shape(X)}: "
            "make in_channels and groups fit the data"
        )
    refuse_groups(X.shape[1], len(weight), groups)
    if bias is not None and bias.shape != (len(weight),):
        raise UsageError(
            f"bias wants one number for each of {len(weight)} output channels, got {_shape(bias)}"
        )


def refuse_groups(in_channels: int, out_channels: int, groups: int) -> None:
    """Raise `UsageError` where the channels cannot be cut into so many parts."""
    if in_channels % groups or out_channels % groups:
        raise UsageError(
            f"groups wants to divide the input and output channels, got {groups} for "
            f"{in_channels} and {out_channels}: pass a common divisor"
        )


def refuse_padding(pool_size: Size, padding: Size) -> None:
    """Raise `UsageError` where a window could lie in the padding altogether."""
    at_least(1, pool_size=pool_size)
    at_least(0, padding=padding)
    if any(2 * pad > size for size, pad in zip(pair(pool_size), pair(padding), strict=True)):
        raise UsageError(
            f"padding {padding} is more than half the window {pool_size}: "
            "some windows would hold no pixel: pass less padding"
        )


def refuse_integers(X: Tensor) -> None:
    """Raise `UsageError` for numbers among which there is neither −∞ nor a half."""
    if not X.is_floating_point():
        kind = str(X.dtype).removeprefix("torch.")
        raise UsageError(
            f"averages and padded maxima want floating-point numbers, got {kind}: pass X.float()"
        )


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape))
