"""Batch and layer normalisation from tensors up (section 8.5).

The networks of this room take their layers from here or from the twin, `concise`: so those of the
convolution room are handed on.
"""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Count
from freedive.topics.convolution.scratch import AvgPool2d, Conv2d, MaxPool2d

__all__ = [
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "LayerNorm",
    "MaxPool2d",
    "batch_norm",
    "layer_norm",
]


def moments(
    X: Float[Tensor, "*shape"], axes: list[int]
) -> tuple[Float[Tensor, "*ones"], Float[Tensor, "*shape"], Float[Tensor, "*ones"]]:
    """The mean μ̂ over some axes, x − μ̂, and the variance σ̂² with n below its sum."""
    mean = X.mean(axes, keepdim=True)  # μ̂ = Σ x / n
    centred = X - mean
    # one pass more than torch.var_mean, and on a CPU three times as fast
    var = centred.square().mean(axes, keepdim=True)  # σ̂² = Σ (x − μ̂)² / n
    return mean, centred, var


def batch_norm(
    X: Float[Tensor, "batch channels *axes"],
    gamma: Float[Tensor, " channels"] | None,
    beta: Float[Tensor, " channels"] | None,
    moving_mean: Float[Tensor, " channels"] | None,
    moving_var: Float[Tensor, " channels"] | None,
    training: bool,
    eps: float = 1e-5,
    momentum: float = 0.1,
) -> Float[Tensor, "batch channels *axes"]:
    """Batch normalisation: BN(x) = γ ⊙ (x − μ̂)/√(σ̂² + ε) + β (sections 8.5.2 and 8.5.3).

    μ̂ and σ̂² are those of the batch in training, for each channel over every other axis, and the
    moving ones follow in place; in prediction they are the moving ones.

    Args:
        X: features (batch, channels) or images (batch, channels, height, width).
        gamma: scale of each channel; None is 1.
        beta: shift of each channel; None is 0.
        moving_mean: for prediction; None takes the batch's there too.
        moving_var: for prediction; it follows σ̂² n/(n − 1), which is free of bias.
        training: which statistics to take.
        eps: keeps a constant channel from division by zero.
        momentum: weight of the new value in the moving ones.

    Raises:
        UsageError: not one value for each channel, or statistics of fewer than two values.
    """
    _check_channels(X, gamma, beta, moving_mean, moving_var)
    wide = _at_least_float32(X)
    if training or moving_mean is None or moving_var is None:
        n = _values_per_channel(X)
        mean, centred, var = moments(wide, [axis for axis in range(X.dim()) if axis != 1])
        _move(moving_mean, mean, momentum)
        _move(moving_var, var * n / (n - 1), momentum)
    else:
        centred, var = wide - _per_channel(moving_mean, X), _per_channel(moving_var, X)
    scale = torch.rsqrt(var + eps)
    if gamma is not None:
        scale = _per_channel(gamma, X) * scale
    # γ/√(σ̂² + ε) has one number a channel: one pass over X is left
    Y = centred * scale if beta is None else torch.addcmul(_per_channel(beta, X), centred, scale)
    return Y.to(X.dtype)


def layer_norm(
    X: Float[Tensor, "*batch features"],
    gamma: Float[Tensor, "*shape"] | None,
    beta: Float[Tensor, "*shape"] | None,
    num_axes: int = 1,
    eps: float = 1e-5,
) -> Float[Tensor, "*batch features"]:
    """Layer normalisation: LN(x) = γ ⊙ (x − μ̂)/√(σ̂² + ε) + β (sections 8.5.2.3 and 11.7.3).

    μ̂ and σ̂² are those of one example, so that training and prediction do the same.

    Args:
        X: anything.
        gamma: γ, one scale for each entry of the last axes; None is 1.
        beta: β, one shift for each; None is 0.
        num_axes: how many of the last axes are one example.
        eps: ε keeps a constant example from division by zero.
    """
    _, centred, var = moments(_at_least_float32(X), list(range(-num_axes, 0)))
    Y = centred * torch.rsqrt(var + eps)
    if gamma is not None:
        Y = gamma * Y if beta is None else torch.addcmul(beta, gamma, Y)
    return Y.to(X.dtype)


class BatchNorm(nn.Module):
    """Base of the batch norm layers: arguments, parameters and buffers of torch's.

    Args:
        num_features: channels.
        eps: ε.
        momentum: weight of the new value in the moving ones; None takes the plain mean of all.
        affine: whether γ and β are learned.
        track_running_stats: whether moving statistics are kept for prediction.
        bias: whether β is learned along with γ.
    """

    axes: ClassVar[tuple[tuple[str, ...], ...]]  # what a batch may look like
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: Count,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
    ):
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight = nn.Parameter(torch.ones(num_features)) if affine else None
        self.bias = nn.Parameter(torch.zeros(num_features)) if affine and bias else None
        tracked = track_running_stats
        # buffers are saved and moved with the model, and no optimizer touches them
        self.register_buffer("running_mean", torch.zeros(num_features) if tracked else None)
        self.register_buffer("running_var", torch.ones(num_features) if tracked else None)
        self.register_buffer("num_batches_tracked", torch.tensor(0) if tracked else None)

    def forward(
        self, X: Float[Tensor, "batch channels *axes"]
    ) -> Float[Tensor, "batch channels *axes"]:
        """`batch_norm`; ``train()`` and ``eval()`` alone say which statistics are taken."""
        if X.dim() not in [len(axes) for axes in self.axes]:
            wanted = " or ".join(f"({', '.join(axes)})" for axes in self.axes)
            raise UsageError(
                f"{type(self).__name__} wants {wanted}, got {_shape(X)}: "
                "BatchNorm1d is for features, BatchNorm2d for images"
            )
        momentum = self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if momentum is None:
                momentum = 1 / int(self.num_batches_tracked)
        return batch_norm(
            X,
            self.weight,
            self.bias,
            self.running_mean,
            self.running_var,
            self.training,
            self.eps,
            momentum or 0.0,
        )


class BatchNorm1d(BatchNorm):
    """Batch norm of features, behind a dense layer: each feature over the batch."""

    axes = (("batch", "channels"), ("batch", "channels", "length"))


class BatchNorm2d(BatchNorm):
    """Batch norm of images, behind a convolution: each channel over the batch and all pixels."""

    axes = (("batch", "channels", "height", "width"),)


class LayerNorm(nn.Module):
    """Layer norm over the last axes, with the arguments and parameters of torch's.

    Args:
        normalized_shape: sizes of the last axes, which are normalised together.
        eps: ε.
        elementwise_affine: whether γ and β are learned.
        bias: whether β is learned along with γ.
    """

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ):
        super().__init__()
        if isinstance(normalized_shape, int):
            normalized_shape = (normalized_shape,)
        self.normalized_shape, self.eps = (shape := tuple(normalized_shape)), eps
        self.weight = nn.Parameter(torch.ones(shape)) if elementwise_affine else None
        self.bias = nn.Parameter(torch.zeros(shape)) if elementwise_affine and bias else None

    def forward(self, X: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """`layer_norm` with the layer's parameters."""
        wanted = self.normalized_shape
        if X.shape[-len(wanted) :] != wanted:
            raise UsageError(
                f"LayerNorm wants last axes of {'×'.join(map(str, wanted))}, got {_shape(X)}: "
                "make normalized_shape fit the data"
            )
        return layer_norm(X, self.weight, self.bias, len(wanted), self.eps)


def _at_least_float32(X: Tensor) -> Tensor:
    """Half precision made single: a sum of a thousand values has no room in it."""
    return X.to(torch.promote_types(X.dtype, torch.float32))


def _per_channel(values: Tensor, X: Tensor) -> Tensor:
    """One value a channel, with axes of 1 so that it meets axis 1 of X."""
    return values.reshape(-1, *(1,) * (X.dim() - 2))


def _move(moving: Tensor | None, new: Tensor, momentum: float) -> None:
    """m ← m + momentum (new − m), in place and outside the graph."""
    if moving is not None:
        moving.add_(momentum * (new.detach().flatten() - moving))


def _check_channels(X: Tensor, *statistics: Tensor | None) -> None:
    for values in statistics:
        if values is not None and (X.dim() < 2 or len(values) != X.shape[1]):
            raise UsageError(
                f"batch norm wants {len(values)} channels, got {_batch(X)}: "
                "make num_features fit the data"
            )


def _values_per_channel(X: Tensor) -> int:
    n = X.numel() // max(1, X.shape[1])
    if n < 2:
        raise UsageError(
            f"batch norm wants at least 2 values a channel in training, got {_batch(X)}: "
            "pass a larger batch, or call eval() to predict"
        )
    return n


def _batch(X: Tensor) -> str:
    return f"{'images' if X.dim() == 4 else 'a batch'} of {_shape(X)}"


def _shape(X: Tensor) -> str:
    return "×".join(map(str, X.shape))
