"""Data that shift on demand: in their inputs, their labels, or their concept (section 4.7.1)."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freedive.core.errors import UsageError

SHARPNESS = 4.0  # how suddenly one label turns into the other at the curve


class Sample(NamedTuple):
    """Inputs in the plane and their labels."""

    X: Float[Tensor, "n 2"]
    y: Int[Tensor, " n"]


def normals(n: int, chance: torch.Generator) -> Float[Tensor, "n 2"]:
    """Standard normal points of the plane."""
    return torch.randn(n, 2, generator=chance, dtype=torch.float64)


def curve(x1: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """x₂ = ½ x₁²: above it lies the label 1. Straight lines fit it only piece by piece."""
    return x1**2 / 2


def covariate_sample(n: int, centre: float, chance: torch.Generator) -> Sample:
    """Inputs around (centre, ½); P(y = 1 | x) = σ(4(x₂ − ½x₁²)), wherever they are.

    Args:
        n: how many.
        centre: mean of x₁; the mean of x₂ is ½, both deviations are 1.
        chance: where the numbers come from.
    """
    X = normals(n, chance) + torch.tensor([centre, 0.5], dtype=torch.float64)
    likely = torch.sigmoid(SHARPNESS * (X[:, 1] - curve(X[:, 0])))
    return Sample(X, (torch.rand(n, generator=chance, dtype=torch.float64) < likely).long())


def log_ratio(X: Float[Tensor, "n 2"], source: float, target: float) -> Float[Tensor, " n"]:
    """log p(x)/q(x) of inputs around two centres: (c_p − c_q) x₁ − ½ (c_p² − c_q²)."""
    return (target - source) * X[:, 0] - (target**2 - source**2) / 2


def class_means(num_classes: int, distance: float) -> Float[Tensor, "classes 2"]:
    """Corners of a regular polygon, neighbours ``distance`` apart."""
    angles = 2 * math.pi * torch.arange(num_classes, dtype=torch.float64) / num_classes
    radius = distance / (2 * math.sin(math.pi / num_classes))
    return radius * torch.stack([angles.cos(), angles.sin()], dim=1)


def label_sample(
    n: int, prior: Float[Tensor, " classes"], distance: float, chance: torch.Generator
) -> Sample:
    """Labels with probabilities ``prior``, then inputs: P(x | y) = N(mean of the class, I)."""
    y = torch.multinomial(prior, n, replacement=True, generator=chance)
    return Sample(normals(n, chance) + class_means(len(prior), distance)[y], y)


def label_logits(
    X: Float[Tensor, "n 2"], prior: Float[Tensor, " classes"], distance: float
) -> Float[Tensor, "n classes"]:
    """log P(x, y) but for a constant: the best a classifier can know of `label_sample`."""
    means = class_means(len(prior), distance)
    return X @ means.T - (means**2).sum(dim=1) / 2 + prior.log()


def concept_sample(n: int, angle: float, noise: float, chance: torch.Generator) -> Sample:
    """Standard normal inputs; the label says on which side of a line through 0 they lie.

    Args:
        n: how many.
        angle: direction of label 1, in radians. It is the concept; the inputs know nothing of it.
        noise: share of labels that are flipped.
        chance: where the numbers come from.
    """
    X = normals(n, chance)
    side = X[:, 0] * math.cos(angle) + X[:, 1] * math.sin(angle) > 0
    flipped = torch.rand(n, generator=chance, dtype=torch.float64) < noise
    return Sample(X, (side ^ flipped).long())


def concept_error(w: Float[Tensor, " 2"], angle: float, noise: float) -> float:
    """Probability that the sign of wᵀx misses the label: noise + (1 − 2 noise) δ/π.

    δ is the angle between w and the concept's direction: between the two lines all is wrong.
    """
    delta = abs(math.remainder(math.atan2(float(w[1]), float(w[0])) - angle, 2 * math.pi))
    return noise + (1 - 2 * noise) * delta / math.pi


def read_shares(name: str, text: str) -> Float[Tensor, " classes"]:
    """A distribution over 2 to 6 classes, as it is typed: "0.6 0.3 0.1".

    Raises:
        UsageError: no numbers, one outside 0 … 1, or a sum that is not 1.
    """
    found = read_probabilities(name, text)
    total = float(found.sum())
    if abs(total - 1) > 1e-6:
        raise UsageError(f"{name} wants shares that sum to 1, got {text!r}, whose sum is {total:g}")
    return found / total


def read_probabilities(name: str, text: str) -> Float[Tensor, " classes"]:
    """2 to 6 probabilities with spaces or commas between them.

    Raises:
        UsageError: another number of them, or one that is not a number from 0 to 1.
    """
    words = text.replace(",", " ").split()
    if not 2 <= len(words) <= 6:
        raise UsageError(
            f"{name} wants 2 to 6 numbers, got {len(words)} in {text!r}: pass such as '0.6 0.4'"
        )
    for word in words:
        try:
            inside = 0 <= float(word) <= 1
        except ValueError:
            inside = False
        if not inside:
            raise UsageError(f"{name} wants numbers from 0 to 1, got {word!r} in {text!r}")
    return torch.tensor([float(word) for word in words], dtype=torch.float64)
