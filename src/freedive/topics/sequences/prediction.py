"""Predicting on from one's own predictions, and what that costs (section 9.1.4)."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.core.errors import UsageError

Predictor = Callable[[Tensor], Tensor]  # rows of τ values to one next value each


@torch.no_grad()
def continued(
    model: Predictor, windows: Float[Tensor, "rows tau"], k: int
) -> Float[Tensor, "rows k"]:
    """The next k values after each window, where a prediction counts as known to the next one."""
    tau = windows.shape[1]
    for _ in range(k):
        windows = torch.cat([windows, model(windows[:, -tau:])], dim=1)
    return windows[:, tau:]


def k_step(
    model: Predictor, x: Float[Tensor, " steps"], tau: int, k: int
) -> tuple[Float[Tensor, "rows k"], Float[Tensor, "rows k"]]:
    """What is predicted 1 … k steps after each τ values of a series, and what came.

    There are T − τ − k + 1 places from which k steps can be checked.

    Raises:
        UsageError: there is none.
    """
    if len(x) < tau + k:
        raise UsageError(
            f"{k} steps after {tau} values want a series of {tau + k}, got {len(x)}: "
            "pass a smaller k or a longer series"
        )
    windows = x.unfold(0, tau + k, 1)
    return continued(model, windows[:, :tau], k), windows[:, tau:]


def error_by_step(
    predicted: Float[Tensor, "rows k"], came: Float[Tensor, "rows k"]
) -> Float[Tensor, " k"]:
    """The root mean squared error of the predictions that lie 1 … k steps ahead."""
    return (predicted - came).square().mean(dim=0).sqrt()
