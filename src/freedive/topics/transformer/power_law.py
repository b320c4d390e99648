"""Power laws through measured points, L(x) = L∞ + a x^(−α) (section 11.9.4)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.core.errors import UsageError

GRID, ZOOMS = 200, 12  # floors that are tried at a time, and how often the grid closes in


@dataclass(frozen=True)
class PowerLaw:
    """L(x) = floor + scale · x^(−exponent).

    Attributes:
        exponent: α; each doubling of x divides what lies above the floor by 2^α.
        scale: a; written as (x_c/x)^α, it is x_c^α.
        floor: L∞, which no x gets below.
        error: root mean square of log(measured/fitted): 0.01 is a hundredth of the loss.
    """

    exponent: float
    scale: float
    floor: float = 0.0
    error: float = 0.0

    def __call__(self, x: float) -> float:
        """The loss that the law foretells."""
        return self.floor + self.scale * x**-self.exponent


def fit_line(x: Sequence[float], losses: Sequence[float]) -> PowerLaw:
    """The law without a floor: log L = log a − α log x, by least squares.

    Raises:
        UsageError: fewer than two different x, or numbers that have no logarithm.
    """
    points = checked(x, losses, wanted=2)
    return best_law(*points, floors=torch.zeros(1, dtype=torch.float64))


def fit_floor(x: Sequence[float], losses: Sequence[float]) -> PowerLaw:
    """The law with a floor, by least squares of log L: the best floor of a grid that closes in.

    Floors from 0 up to the smallest loss are tried; for each, the rest is a straight line.

    Raises:
        UsageError: fewer than three different x, or numbers that have no logarithm.
    """
    points = checked(x, losses, wanted=3)
    low, high = 0.0, float(points[1].min())
    for _ in range(ZOOMS):
        step = (high - low) / GRID
        floors = low + step * torch.arange(GRID, dtype=torch.float64)  # the highest is none
        best = best_law(*points, floors)
        low, high = max(low, best.floor - step), min(high, best.floor + step)
    return best


def best_law(
    x: Float[Tensor, " n"], losses: Float[Tensor, " n"], floors: Float[Tensor, " m"]
) -> PowerLaw:
    """The law with the least error among those with some floors, all of them below all losses.

    log(L − L∞) = log a − α log x is a line, but its errors are not those of log L, which a step of
    log(L − L∞) moves by (L − L∞)/L as much: so much weight has each point.
    """
    above = losses - floors[:, None]  # a row for each floor
    weights = (above / losses).square()
    mean_x, mean_rest = (
        (weights * part).sum(dim=1, keepdim=True) / weights.sum(dim=1, keepdim=True)
        for part in (x.log(), above.log())
    )
    away = x.log() - mean_x
    slopes = (weights * away * (above.log() - mean_rest)).sum(dim=1, keepdim=True)
    slopes = slopes / (weights * away.square()).sum(dim=1, keepdim=True)
    fitted = floors[:, None] + (mean_rest + slopes * away).exp()
    errors = (losses / fitted).log().square().mean(dim=1).sqrt()
    best = int(errors.argmin())
    scale = (mean_rest - slopes * mean_x)[best, 0].exp()
    return PowerLaw(-float(slopes[best, 0]), float(scale), float(floors[best]), float(errors[best]))


def checked(x: Sequence[float], losses: Sequence[float], wanted: int) -> tuple[Tensor, Tensor]:
    """Both as tensors, if a law can be fitted to them."""
    if len(x) != len(losses):
        raise UsageError(f"each x wants a loss, got {len(x)} and {len(losses)}")
    if len(set(x)) < wanted:
        raise UsageError(f"this power law wants {wanted} different x at least, got {len(set(x))}")
    for number in (*x, *losses):
        if not 0 < number < math.inf:
            raise UsageError(f"a power law wants finite numbers above 0, got {number:g}")
    return torch.tensor(x, dtype=torch.float64), torch.tensor(losses, dtype=torch.float64)
