"""What the book says about attention pooling and kernel regression (11.1 and 11.2), measured."""

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from freedive.catalog import claim
from freedive.topics.attention.kernel_lab import drawn, keys_that_count, total_variation
from freedive.topics.attention.kernels import (
    KERNELS,
    boxcar,
    constant,
    distances,
    gaussian,
    nadaraya_watson,
    pooling_weights,
    triangular,
)

Evidence = Iterator[tuple[Any, ...]]
SEEDS = 20
LOCAL = {name: kernel for name, kernel in KERNELS.items() if kernel is not constant}


def normal(*shape: int) -> Tensor:
    """Standard normal numbers in float64."""
    return torch.randn(*shape, dtype=torch.float64)


def strict_boxcar(u: Tensor) -> Tensor:
    """The book's program: the edge left out, and truth values for numbers."""
    return u.abs() < 1.0


def noisy_sine(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The lab's data: forty keys and values, 101 queries and the truth there."""
    scene = drawn(40, 0.5, seed)
    return scene.keys, scene.values, scene.queries, scene.truth


@claim(
    "11.1",
    "attention to one key that matches is a lookup, equal weights give the mean of the values, "
    "softmax weights stay in the values' convex hull, and weights of 0 or more in their cone",
    source="002b C73",
)
def special_cases() -> Evidence:
    """Ten keys in a row; a hull is where no direction is exceeded, a cone where no sign turns."""
    keys, values = torch.arange(10).double(), normal(10, 2)
    yield nadaraya_watson(keys, keys, values, triangular)[0], values
    yield nadaraya_watson(keys[:1], keys, values, constant)[0][0], values.mean(dim=0), 1e-12
    pooled = torch.softmax(3 * normal(500, 10), dim=1) @ values
    angles = torch.linspace(0, 2 * torch.pi, 360, dtype=torch.float64)
    directions = torch.stack([angles.cos(), angles.sin()])
    beyond = pooled @ directions - (values @ directions).amax(dim=0)
    yield float(beyond.max()), (-10.0, 1e-12)
    summed = normal(500, 10).abs() @ values.abs()  # not divided by the sum of the weights
    yield float(summed.min()) >= 0, True
    yield bool((summed > values.abs().amax(dim=0)).any()), True  # out of the hull


@claim("11.1", "a database is asked by an exact match: the key Li has the value Mu", "002b C73")
def database() -> Evidence:
    """One-hot keys for family names; a query that is not there has nothing to attend to."""
    family = ["Zhang", "Lipton", "Li", "Smola"]
    given = ["Aston", "Zachary", "Mu", "Alex"]
    keys = torch.eye(5)[:4]  # the fifth name is nobody's
    query = keys[family.index("Li")][None]
    _, weights = nadaraya_watson(query, keys, torch.arange(4.0), triangular)
    yield given[int(weights.argmax())], "Mu"
    yield weights[0], [0.0, 0.0, 1.0, 0.0]
    yield nadaraya_watson(torch.eye(5)[4:], keys, torch.arange(4.0), triangular)[1][0], [0.0] * 4


@claim(
    "11.2",
    "of the 50 points from −2.5 in steps of 0.1 a boxcar keeps 19 without its edge and 21 with it, "
    "if the grid meets ±1; one that is added up in float64 does not: 20 either way",
    source="002b C74",
)
def boxcar_on_a_grid() -> Evidence:
    """Points as whole numbers over 10, then as sums; torch's own lie within rounding of ±1."""
    exact = (torch.arange(50) - 25).double() / 10
    summed = torch.tensor(list(accumulate([0.1] * 49, initial=-2.5)), dtype=torch.float64)
    for grid, without, with_edge in ((exact, 19, 21), (summed, 20, 20)):
        yield int(strict_boxcar(grid).sum()), without
        yield int(boxcar(grid).sum()), with_edge
        yield float((grid - exact).abs().max()), (0.0, 1e-14)
    for dtype in (torch.float32, torch.float64):  # which side of ±1 depends on type and machine
        grid = torch.arange(-2.5, 2.5, 0.1, dtype=dtype)
        yield len(grid), 50
        yield int(((grid.abs() - 1).abs() < 1e-6).sum()), 2
        yield int(strict_boxcar(grid).sum()), (19, 21)
    yield triangular(exact)[25], 1.0
    yield int(triangular(exact).argmax()), 25


@claim(
    "11.2",
    "the weights of a query sum to 1, with whatever kernel reaches a key; the constant kernel "
    "gives the mean of all values everywhere",
    source="002b C75",
)
def weights_sum_to_one() -> Evidence:
    """Keys in three dimensions; then queries far away, where a plain quotient is 0/0."""
    queries, keys, values = normal(7, 3), normal(20, 3), normal(20)
    for kernel in KERNELS.values():
        _, weights = nadaraya_watson(queries, keys, values, kernel, 10.0)
        yield weights.sum(dim=1), [1.0] * 7, 1e-12
        yield float(weights.min()), (0.0, 1.0)
    yield nadaraya_watson(queries, keys, values, constant)[0], [float(values.mean())] * 7, 1e-12
    away = distances(queries + 1000, keys)
    yield bool((gaussian(away) / gaussian(away).sum(dim=1, keepdim=True)).isnan().all()), True
    yield pooling_weights(away, gaussian).sum(dim=1), [1.0] * 7, 1e-12
    yield pooling_weights(away, boxcar).sum(dim=1), [0.0] * 7


@claim(
    "11.2",
    "a narrower Gaussian makes the estimate rougher and more local",
    source="002b C76",
)
def narrower_is_rougher() -> Evidence:
    """In how many of 20 data sets the variation falls, and the keys that count rise, with σ."""
    widths, rougher, wider, ratios = (0.1, 0.2, 0.5, 1.0), 0, 0, []
    for seed in range(SEEDS):
        keys, values, queries, _ = noisy_sine(seed)
        fits = [nadaraya_watson(queries, keys, values, gaussian, width) for width in widths]
        variation = torch.tensor([total_variation(estimate) for estimate, _ in fits])
        counting = torch.stack([keys_that_count(weights).mean() for _, weights in fits])
        rougher += bool((variation.diff() < 0).all())
        wider += bool((counting.diff() > 0).all())
        ratios.append(variation[0] / variation[-1])
    yield rougher, SEEDS
    yield wider, SEEDS
    yield float(torch.stack(ratios).median()), (3.0, 12.0)  # as of 18.0 at 0.1 to 2.0 at 1


@claim(
    "11.2",
    "all kernels that depend on the distance give workable estimates, the constant one does not",
    source="002b C76",
)
def workable() -> Evidence:
    """The error against the truth over the constant kernel's, in the median of 20 data sets."""
    ratios: dict[str, list[float]] = {name: [] for name in LOCAL}
    for seed in range(SEEDS):
        keys, values, queries, truth = noisy_sine(seed)
        flat = (nadaraya_watson(queries, keys, values, constant)[0] - truth).square().mean()
        for name, kernel in LOCAL.items():
            estimate, _ = nadaraya_watson(queries, keys, values, kernel, 0.5)
            ratios[name].append(float((estimate - truth).square().mean() / flat))
    for found in ratios.values():
        yield float(torch.tensor(found).median()), (0.0, 0.3)


@claim(
    "11.2",
    "shifting or rotating queries and keys together changes no kernel; stretching them does, by as "
    "much as a narrower width",
    source="002b C77",
)
def moved_together() -> Evidence:
    """Eight queries and nine keys in three dimensions."""
    queries, keys, shift = normal(8, 3), normal(9, 3), 10 * normal(3)
    rotation = torch.linalg.qr(normal(3, 3)).Q
    u = distances(queries, keys)
    yield distances(queries + shift, keys + shift), u, 1e-12
    yield distances(queries @ rotation, keys @ rotation), u, 1e-12
    for kernel in KERNELS.values():
        moved = distances(queries @ rotation + shift, keys @ rotation + shift)
        yield kernel(moved / 3), kernel(u / 3), 1e-12
    stretched = pooling_weights(distances(3 * queries, 3 * keys), gaussian)
    yield stretched, pooling_weights(u, gaussian, 1 / 3), 1e-12
    yield float((stretched - pooling_weights(u, gaussian)).abs().max()), (0.05, 1.0)
