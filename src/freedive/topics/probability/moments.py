"""Expectation, variance and what follows from them, for few outcomes and for densities (2.6.6)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.core.errors import UsageError
from freedive.topics.probability.distribution import Probabilities, distribution

Values = Float[Tensor, " outcomes"]
Map = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class RandomNumber:
    """A number that takes each of its values with a probability."""

    values: Values
    P: Probabilities

    def expectation(self, f: Map | None = None) -> float:
        """E[f(X)] = Σ f(x) P(x); of X itself without f."""
        values = self.values if f is None else f(self.values)
        return float((values * self.P).sum())

    def variance(self, f: Map | None = None) -> float:
        """Var[f(X)] = E[(f(X) − E[f(X)])²], which unlike E[X²] − E[X]² is never negative."""
        values = self.values if f is None else f(self.values)
        return float(((values - self.expectation(f)) ** 2 * self.P).sum())

    def deviation(self) -> float:
        """The standard deviation, in the unit of X."""
        return math.sqrt(self.variance())

    def outside(self, distance: float) -> float:
        """P(|X − E[X]| ≥ distance)."""
        far = (self.values - self.expectation()).abs() >= distance
        return float(self.P[far].sum())


def random_number(values: Sequence[float], probabilities: Sequence[float]) -> RandomNumber:
    """Values with their probabilities.

    Raises:
        UsageError: not one probability for each value, or no distribution.
    """
    if len(values) != len(probabilities):
        raise UsageError(f"values and probabilities want to be equally many, got {len(values)} "
                         f"and {len(probabilities)}")  # fmt: skip
    if not all(abs(value) <= 1e100 for value in values):
        raise UsageError("values want to be numbers of at most 1e100, whose squares exist")
    return RandomNumber(torch.tensor(values, dtype=torch.float64), distribution(probabilities))


def variance_from_squares(X: RandomNumber) -> float:
    """E[X²] − E[X]²: equal to the variance but for rounding."""
    return X.expectation(torch.square) - X.expectation() ** 2


def chebyshev(k: float) -> float:
    """No more than this can lie k deviations or farther from the mean: min(1, 1 / k²)."""
    return min(1.0, 1 / k**2) if k > 0 else 1.0


def integral(density: Map, low: float, high: float, pieces: int = 20_000) -> float:
    """∫ density from low to high by the midpoint rule: P(low < X ≤ high)."""
    width = (high - low) / pieces
    middles = low + width * (torch.arange(pieces, dtype=torch.float64) + 0.5)
    return float(density(middles).sum() * width)


def normal_density(mean: float, deviation: float) -> Map:
    """exp(−(x − μ)² / 2σ²) / √(2πσ²).

    Raises:
        UsageError: a deviation that is not positive.
    """
    if not deviation > 0:
        raise UsageError(f"a normal density wants a deviation above 0, got {deviation:g}")
    scale = 1 / math.sqrt(2 * math.pi) / deviation
    return lambda x: scale * torch.exp(-(((x - mean) / deviation) ** 2) / 2)
