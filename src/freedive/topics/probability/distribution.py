"""Distributions over a few outcomes: checked, drawn from, joined and divided (section 2.6)."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freedive.core.errors import UsageError

Probabilities = Float[Tensor, " outcomes"]
Joint = Float[Tensor, "a b"]


def distribution(probabilities: Sequence[float]) -> Probabilities:
    """Numbers as a distribution: none negative, their sum 1 up to rounding.

    Raises:
        UsageError: they are none.
    """
    given = " ".join(f"{p:g}" for p in probabilities)
    for p in probabilities:
        if not (math.isfinite(p) and p >= 0):
            raise UsageError(f"probabilities want numbers of at least 0, got {p:g} in {given}")
    total = math.fsum(probabilities)
    if abs(total - 1) > 1e-6:
        raise UsageError(f"probabilities want to sum to 1, {given or 'none at all'} sums to "
                         f"{total:.6g}: divide each by the sum")  # fmt: skip
    return torch.tensor(probabilities, dtype=torch.float64) / total


def uniform(outcomes: int) -> Probabilities:
    """A fair die with that many faces; with two, a fair coin."""
    return torch.full((outcomes,), 1 / outcomes, dtype=torch.float64)


def draw(P: Probabilities, shape: Sequence[int], chance: torch.Generator) -> Int[Tensor, "..."]:
    """Outcomes, each with its probability: a uniform number falls on one of the pieces of [0, 1].

    The piece of outcome k is [P₀ + … + Pₖ₋₁, P₀ + … + Pₖ).
    """
    ends = P.cumsum(dim=0)
    ends[-1] = 1.0  # rounding must not leave a gap at the end
    spots = torch.rand(tuple(shape), generator=chance, dtype=torch.float64)
    return torch.searchsorted(ends, spots, right=True)


def running_frequencies(
    draws: Int[Tensor, "groups draws"], outcome: int
) -> Float[Tensor, "groups draws"]:
    """After each draw, the share of draws so far that gave the outcome."""
    hits = (draws == outcome).to(torch.float64).cumsum(dim=1)
    return hits / torch.arange(1, draws.shape[1] + 1, dtype=torch.float64)


def frequency_deviation(p: float, draws: int) -> float:
    """The standard deviation of a frequency: √(p (1 − p) / n)."""
    return math.sqrt(p * (1 - p) / draws)


# of two variables


def marginal(joint: Joint, axis: int) -> Float[Tensor, " outcomes"]:
    """The distribution of the variable on one axis: P(a) = Σ_b P(a, b)."""
    return joint.sum(dim=1 - axis)


def conditional(joint: Joint, axis: int, outcome: int) -> Float[Tensor, " outcomes"]:
    """The other variable's distribution once the one on ``axis`` is known: P(a, b) / P(a).

    Raises:
        UsageError: what is known never happens.
    """
    piece = joint.select(axis, outcome)
    total = piece.sum()
    if total <= 0:
        raise UsageError(f"outcome {outcome} has probability 0: nothing can be said given it")
    return piece / total


def independent(joint: Joint, tolerance: float = 1e-12) -> bool:
    """Whether the joint distribution is the product of its marginals."""
    product = torch.outer(marginal(joint, 0), marginal(joint, 1))
    return bool((joint - product).abs().max() <= tolerance)


def intersection_bounds(p: float, q: float) -> tuple[float, float]:
    """Between what P(A ∩ B) lies: max(0, P(A) + P(B) − 1) and min(P(A), P(B))."""
    high = min(p, q)
    return min(high, max(0.0, p + q - 1)), high  # rounding must not put the ends in disorder


def union_bounds(p: float, q: float) -> tuple[float, float]:
    """Between what P(A ∪ B) lies: max(P(A), P(B)) and min(1, P(A) + P(B))."""
    return max(p, q), min(1.0, p + q)
