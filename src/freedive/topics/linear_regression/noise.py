"""What the noise says about the loss: likelihoods and the fits they ask for (section 3.1.3)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.core.errors import UsageError
from freedive.topics.linear_regression.scratch import Criterion


def laplace_density(x: Float[Tensor, "*n"], mu: float, scale: float) -> Float[Tensor, "*n"]:
    """exp(−|x − μ|/b) / 2b: a peak with heavier tails than the normal density's."""
    return torch.exp(-(x - mu).abs() / scale) / (2 * scale)


def laplace_negative_log_likelihood(
    y_hat: Float[Tensor, "*n"], y: Float[Tensor, "*n"], scale: float
) -> Float[Tensor, ""]:
    """n log 2b + Σ|y − ŷ|/b: −log P(y | X) under Laplace noise, the absolute loss."""
    return y.numel() * math.log(2 * scale) + (y_hat - y).abs().sum() / scale


def weighted_median(values: Float[Tensor, " n"], weights: Float[Tensor, " n"]) -> float:
    """The value with half of the weight on either side: it minimises Σ wᵢ |vᵢ − m|."""
    if values.numel() == 0 or not bool(weights.sum() > 0):
        raise UsageError(
            f"weighted_median wants values with some weight, got {values.numel()} values of "
            f"weight {float(weights.sum()):g}: add an example whose weight is not 0"
        )
    order = values.argsort()
    share = weights[order].cumsum(0) / weights.sum()
    # what rounding leaves of ½ must not move the median on by one
    return float(values[order][int((share < 0.5 - 1e-12).sum())])


def best_slope(
    x: Float[Tensor, " n"], y: Float[Tensor, " n"], criterion: Criterion, delta: float = 1.0
) -> float:
    """The w whose line y = wx costs least, exactly.

    Squared: Σxy / Σx². Absolute: the median of y/x, weighted with |x|. Huber: squares again and
    again, with errors beyond δ weighted down by δ/|e|, until the slope stands still.
    """
    if not bool((x != 0).any()):
        raise UsageError(
            f"best_slope wants some x other than 0, got {len(x)} zeros: no slope is better"
        )
    if criterion == "absolute":
        seen = x != 0
        return weighted_median(y[seen] / x[seen], x[seen].abs())
    slope = float(x @ y / (x @ x))
    if criterion == "huber":
        for _ in range(1000):
            error = (y - slope * x).abs()
            weight = delta / error.clamp(min=delta)
            before, slope = slope, float((weight * x) @ y / ((weight * x) @ x))
            if abs(slope - before) <= 1e-14 * max(1.0, abs(slope)):
                break
    return slope
