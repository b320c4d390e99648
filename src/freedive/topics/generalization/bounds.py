"""How far a test error lies from the true error: normal limit, Hoeffding, exact tails (4.6.1)."""

import math
from statistics import NormalDist
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.core.errors import UsageError

Sides = Literal["one", "two"]
SIDES: dict[str, int] = {"one": 1, "two": 2}


def standard_error(n: int, error: float = 0.5) -> float:
    """√(ε(1 − ε)/n), the deviation of the test error of n examples; largest for ε = ½."""
    return math.sqrt(error * (1 - error) / n)


def normal_sample_size(
    margin: float, confidence: float, sides: Sides = "two", error: float = 0.5
) -> int:
    """Examples that keep the test error within a margin in the normal limit: ⌈z²ε(1 − ε)/t²⌉.

    Raises:
        UsageError: a margin or a confidence that is not between 0 and 1.
    """
    missed = allowed(margin, confidence) / SIDES[sides]
    z = NormalDist().inv_cdf(1 - missed)
    return max(1, whole_from(max(z, 0.0) ** 2 * error * (1 - error) / margin**2))


def hoeffding_sample_size(margin: float, confidence: float, sides: Sides = "two") -> int:
    """Examples that keep it there whatever the error and at any n: ⌈ln(sides/δ)/2t²⌉.

    Raises:
        UsageError: a margin or a confidence that is not between 0 and 1.
    """
    missed = allowed(margin, confidence)
    return max(1, whole_from(math.log(SIDES[sides] / missed) / (2 * margin**2)))


def allowed(margin: float, confidence: float) -> float:
    """δ, the probability of missing the margin that a confidence allows."""
    for name, value in (("margin", margin), ("confidence", confidence)):
        if not 0 < value < 1:
            raise UsageError(f"{name} wants a number between 0 and 1, got {value:g}")
    return 1 - confidence


def whole_from(size: float) -> int:
    """The next whole number, where rounding has not put a whole one a hair higher."""
    return math.ceil(size - 1e-9 * max(1.0, size))


def hoeffding_bound(n: int, margin: float, sides: Sides = "two") -> float:
    """P(ε_D − ε ≥ t) ≤ exp(−2nt²), doubled for both sides; never above 1."""
    return min(1.0, SIDES[sides] * math.exp(-2 * n * margin**2))


def normal_tail(n: int, margin: float, error: float = 0.5, sides: Sides = "two") -> float:
    """The same probability in the normal limit."""
    spread = standard_error(n, error)
    if not spread:
        return 0.0
    return SIDES[sides] * NormalDist().cdf(-margin / spread)


def binomial_probabilities(n: int, error: float) -> Float[Tensor, " counts"]:
    """P(k errors among n examples), k = 0 … n, from logarithms of factorials."""
    k = torch.arange(n + 1, dtype=torch.float64)
    if error in (0.0, 1.0):
        return (k == n * error).double()
    ways = math.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)
    return torch.exp(ways + k * math.log(error) + (n - k) * math.log1p(-error))


def binomial_tail(n: int, margin: float, error: float = 0.5, sides: Sides = "two") -> float:
    """P(|ε_D − ε| ≥ t) of n independent examples exactly; one-sided without the bars."""
    gap = torch.arange(n + 1, dtype=torch.float64) / n - error
    gap = gap.abs() if sides == "two" else gap
    return float(binomial_probabilities(n, error)[gap >= margin - 1e-12].sum())


def family_error(level: float, num_tests: int) -> float:
    """P(at least one false alarm) of independent tests of a level: 1 − (1 − α)^k."""
    return 1 - (1 - level) ** num_tests


def bonferroni(level: float, num_tests: int) -> float:
    """The level α/k of each test that keeps that probability below α, dependent or not."""
    return level / num_tests
