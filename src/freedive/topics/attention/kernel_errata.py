"""Where the book errs about attention pooling and kernel regression (sections 11.1 and 11.2)."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from freedive.catalog import erratum
from freedive.topics.attention.kernel_claims import LOCAL, noisy_sine, strict_boxcar
from freedive.topics.attention.kernels import (
    boxcar,
    distances,
    epanechnikov,
    gaussian,
    nadaraya_watson,
    triangular,
)
from freedive.topics.rnn.scratch import RNN

Evidence = Iterator[tuple[Any, ...]]


@erratum(
    "11.1",
    "a recurrent network reads any number of steps, as attention reads any number of keys, and so "
    "does a convolution: what is fixed is the size of a step, or of what is flattened",
    printed="convolutional and recurrent networks both need inputs of a fixed size",
    source="002b E49",
)
def any_length() -> Evidence:
    """The same weights on 3, 7 and 50 steps; then what does refuse another size."""
    recurrent, convolution = RNN(4, 5), nn.Conv1d(4, 5, 3)
    X, query = torch.randn(50, 1, 4), torch.randn(1, 4)
    whole = recurrent(X)[0]
    for steps in (3, 7, 50):
        yield recurrent(X[:steps])[0].detach(), whole[:steps].detach(), 1e-5
        yield convolution(X[:steps, 0].T).shape[1], steps - 2
        yield list(nadaraya_watson(query, X[:steps, 0], X[:steps, 0])[0].shape), [1, 4]
    for layer, other in ((recurrent, X[..., :3]), (nn.Linear(12, 2), X[:7].flatten())):
        yield refuses(layer, other), True


def refuses(layer: nn.Module, X: Tensor) -> bool:
    """Whether a layer cannot take an input."""
    try:
        layer(X)
    except (RuntimeError, ValueError):
        return True
    return False


@erratum(
    "11.2",
    "a key at distance 1 is in the boxcar: two keys, at ½ and at 1, count the same",
    printed="the formula has ≤ 1, the program < 1, which drops the second and gives truth values",
    source="002b E50",
)
def edge_of_the_boxcar() -> Evidence:
    """The weights by the formula and by the program, whose values cannot be multiplied."""
    query, keys, values = torch.zeros(1), torch.tensor([0.5, -1.0]), torch.tensor([2.0, 6.0])
    estimate, weights = nadaraya_watson(query, keys, values, boxcar)
    yield weights[0], [0.5, 0.5]
    yield estimate[0], 4.0
    printed = strict_boxcar(distances(query, keys))
    yield (printed / printed.sum(dim=1, keepdim=True))[0], [1.0, 0.0]
    yield str(printed.dtype), "torch.bool"
    try:
        printed @ values
        multiplied = True
    except RuntimeError:
        multiplied = False
    yield multiplied, False


@erratum(
    "11.2",
    "the Epanechnikov kernel is the parabola ¾ max(0, 1 − u²), the one with the least error for "
    "its smoothing; max(0, 1 − |u|) is the triangular kernel",
    printed="max(0, 1 − |u|) is called “Epanechikov”",
    source="002b E51",
)
def epanechnikovs_kernel() -> Evidence:
    """Area 1 each, and √∫u²K · ∫K², which the error of a density estimate grows with."""
    u = torch.linspace(-8, 8, 160_001, dtype=torch.float64)
    costs = {}
    for name, kernel in LOCAL.items():
        area = torch.trapezoid(kernel(u), u)
        K = kernel(u) / area
        costs[name] = torch.trapezoid(u**2 * K, u).sqrt() * torch.trapezoid(K**2, u)
        if kernel in (triangular, epanechnikov):
            yield area, 1.0, 1e-6
    yield costs["epanechnikov"], 3 / 5 / 5**0.5, 1e-5
    yield costs["triangular"], 2 / 3 / 6**0.5, 1e-5
    yield min(costs, key=lambda name: float(costs[name])), "epanechnikov"
    half = torch.tensor([0.0, 0.5])
    yield epanechnikov(half), [0.75, 0.5625]
    yield triangular(half), [1.0, 0.5]


@erratum(
    "11.2",
    "f(q) = Σᵢ vᵢ α(q, kᵢ) / Σⱼ α(q, kⱼ): the number that is nearest to the values in squares "
    "weighted by α, so that equal values are met exactly",
    printed="the estimator's formula and its data are missing",
    source="002b E52",
)
def the_formula() -> Evidence:
    """The formula written out; its weighted residuals sum to 0; what the sum alone would give."""
    keys, values, queries, _ = noisy_sine(0)
    for kernel in LOCAL.values():
        found, _ = nadaraya_watson(queries, keys, values, kernel, 1.0)
        alpha = kernel(queries[:, None] - keys)
        yield found, (alpha * values).sum(dim=1) / alpha.sum(dim=1), 1e-12
        residuals = alpha * (values - found[:, None])
        yield residuals.sum(dim=1), torch.zeros(len(queries)), 1e-12
    ones = torch.ones_like(values)
    yield nadaraya_watson(queries, keys, ones)[0], torch.ones_like(queries), 1e-12
    yield float((gaussian(queries[:, None] - keys) @ ones).min()), (2.0, 40.0)
