"""Nearest neighbours: training is remembering, and the metric is all there is to choose (5.5.2)."""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from freedive.core.errors import UsageError
from freedive.core.random import generator

Metric = Literal["euclidean", "manhattan", "maximum"]
ORDERS: dict[str, float] = {"euclidean": 2.0, "manhattan": 1.0, "maximum": float("inf")}


def k_nearest(
    queries: Float[Tensor, "queries d"],
    points: Float[Tensor, "n d"],
    k: int,
    metric: Metric = "euclidean",
) -> Int[Tensor, "queries k"]:
    """The indices of the k points nearest to each query, the nearest first.

    Raises:
        UsageError: no neighbour, or more than there are points.
    """
    if not 1 <= k <= len(points):
        raise UsageError(f"k wants a number from 1 to {len(points)}, the points, got {k}")
    distances = torch.cdist(
        queries, points, p=ORDERS[metric], compute_mode="donot_use_mm_for_euclid_dist"
    )  # as matrix products, distances of equal points would not be 0
    return distances.topk(k, dim=1, largest=False).indices


def classify(
    queries: Float[Tensor, "queries d"],
    points: Float[Tensor, "n d"],
    labels: Int[Tensor, " n"],
    k: int = 1,
    metric: Metric = "euclidean",
) -> Int[Tensor, " queries"]:
    """The label that most of the k nearest have; in a tie the smallest one.

    Raises:
        UsageError: k is not from 1 to the number of points.
    """
    votes = labels[k_nearest(queries, points, k, metric)]
    classes = int(labels.max()) + 1
    counts = torch.zeros(len(queries), classes, dtype=torch.long)
    counts.scatter_add_(1, votes, torch.ones_like(votes))
    return counts.argmax(dim=1)


def true_class(X: Float[Tensor, "n 2"]) -> Int[Tensor, " n"]:
    """Two classes in the unit square, on either side of a wave."""
    return (X[:, 1] > 0.5 + 0.25 * torch.sin(2 * torch.pi * X[:, 0])).long()


def draw_classes(
    n: int, flip: float, seed: int, stream: int = 0
) -> tuple[Float[Tensor, "n 2"], Int[Tensor, " n"], Bool[Tensor, " n"]]:
    """Points of the square with labels, some of them the wrong one, and which ones these are."""
    chance = generator(seed, stream)
    X = torch.rand(n, 2, generator=chance, dtype=torch.float64)
    flipped = torch.rand(n, generator=chance) < flip
    return X, true_class(X) ^ flipped.long(), flipped


def noisy_error(predicted: Int[Tensor, " n"], truth: Int[Tensor, " n"], flip: float) -> float:
    """The expected error on labels that are flipped afresh: flip where right, else 1 − flip."""
    wrong = float((predicted != truth).double().mean())
    return flip + (1 - 2 * flip) * wrong


def limit_error(flip: float) -> float:
    """What one neighbour's error tends to for constant label noise ε: 2ε(1 − ε).

    The query's own label and the neighbour's are wrong independently, and one wrong label of the
    two makes an error. The best classifier errs with min(ε, 1 − ε).
    """
    return 2 * flip * (1 - flip)
