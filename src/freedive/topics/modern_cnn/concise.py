"""Batch and layer normalisation with torch.nn (section 8.5), beside the layers they stand with."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from freedive.topics.convolution.concise import AvgPool2d, Conv2d, MaxPool2d

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
    """Batch normalisation, in the order of arguments that the book has (section 8.5.3)."""
    training = training or moving_mean is None or moving_var is None
    return F.batch_norm(X, moving_mean, moving_var, gamma, beta, training, momentum, eps)


def layer_norm(
    X: Float[Tensor, "*batch features"],
    gamma: Float[Tensor, "*shape"] | None,
    beta: Float[Tensor, "*shape"] | None,
    num_axes: int = 1,
    eps: float = 1e-5,
) -> Float[Tensor, "*batch features"]:
    """Layer normalisation over the last axes (section 8.5.2.3)."""
    return F.layer_norm(X, X.shape[-num_axes:], gamma, beta, eps)


BatchNorm1d = nn.BatchNorm1d
BatchNorm2d = nn.BatchNorm2d
LayerNorm = nn.LayerNorm
