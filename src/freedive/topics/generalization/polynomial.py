"""Polynomials as linear regression in powers of x: a model whose capacity is one number (3.6.2)."""

from dataclasses import dataclass
from math import factorial
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.core.errors import UsageError
from freedive.core.random import generator

Target = Literal["sine", "cubic"]
Verdict = Literal["underfits", "fits", "overfits"]

# the cubic is the book's 5 + 1.2x − 3.4x²/2! + 5.6x³/3!
CUBIC = [c / factorial(i) for i, c in enumerate((5.0, 1.2, -3.4, 5.6))]


def true_values(target: Target, x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """What is to be learnt, without noise: sin 3x, which no polynomial equals, or a cubic."""
    if target == "sine":
        return torch.sin(3 * x)
    return sum((c * x**i for i, c in enumerate(CUBIC)), torch.zeros_like(x))


@dataclass(frozen=True)
class Sample:
    """Examples of a target with noise; several rows are several independent samples."""

    x: Float[Tensor, "*runs n"]
    y: Float[Tensor, "*runs n"]


def draw(target: Target, *shape: int, noise: float, seed: int, stream: int = 0) -> Sample:
    """x uniform in [−1, 1), y = f(x) + ε with ε ~ N(0, noise²)."""
    chance = generator(seed, stream)
    x = 2 * torch.rand(*shape, generator=chance, dtype=torch.float64) - 1
    errors = torch.randn(*shape, generator=chance, dtype=torch.float64)
    return Sample(x, true_values(target, x) + noise * errors)


def powers(x: Float[Tensor, "*runs n"], degree: int) -> Float[Tensor, "*runs n terms"]:
    """The features 1, x, x², …, x^degree: degree + 1 columns; that of ones carries the bias."""
    return x[..., None] ** torch.arange(degree + 1, dtype=x.dtype)


def fit(sample: Sample, degree: int, ridge: float = 0.0) -> Float[Tensor, "*runs terms"]:
    """The weights with the least squared error, or with the least error + λ‖w‖², bias left out.

    Args:
        sample: the examples.
        degree: the highest power.
        ridge: λ of (1/n) Σ ½(ŷ − y)² + ½λ‖w‖², w without the bias.

    Raises:
        UsageError: without a penalty, more weights than examples: no single best polynomial.
    """
    n = sample.x.shape[-1]
    if not ridge and degree >= n:
        raise UsageError(
            f"degree {degree} wants at least {degree + 1} examples, got {n}: pass a degree of at "
            f"most {n - 1} or more examples"
        )
    A, y = powers(sample.x, degree), sample.y[..., None]
    if ridge:  # rows that ask each weight to be 0
        wanted = torch.diag(torch.ones(degree + 1, dtype=A.dtype).index_fill(0, torch.tensor(0), 0))
        A = torch.cat([A, ((n * ridge) ** 0.5 * wanted).expand(*A.shape[:-2], -1, -1)], dim=-2)
        y = torch.cat([y, y.new_zeros(*y.shape[:-2], degree + 1, 1)], dim=-2)
    return torch.linalg.lstsq(A, y, driver="gelsd").solution[..., 0]


def predict(
    weights: Float[Tensor, "*runs terms"], x: Float[Tensor, "*runs n"]
) -> Float[Tensor, "*runs n"]:
    """ŷ = Σ_i w_i xⁱ."""
    return (powers(x, weights.shape[-1] - 1) @ weights[..., None])[..., 0]


def error(weights: Float[Tensor, "*runs terms"], sample: Sample) -> Float[Tensor, "*runs"]:
    """The mean squared error of each run."""
    return (predict(weights, sample.x) - sample.y).square().mean(dim=-1)


def judge_fit(train: float, unseen: float, best: float) -> Verdict:
    """What two errors say of a model, beside the best error that any model had on unseen data.

    Underfitting is a small gap with both errors high; overfitting a training error far below
    that on unseen data. Both are differences of errors, so nothing is said of one alone.
    """
    if unseen <= 1.5 * best:
        return "fits"
    return "underfits" if unseen <= 2 * train else "overfits"
