"""Likelihoods of noise beside torch.distributions, and best slopes beside a fine search."""

import pytest
import torch

from freedive import catalog
from freedive.core.errors import UsageError
from freedive.topics.linear_regression.noise import (
    best_slope,
    laplace_density,
    laplace_negative_log_likelihood,
    weighted_median,
)
from freedive.topics.linear_regression.noise_lab import gaussian_noise
from freedive.topics.linear_regression.scratch import CRITERIA
from freedive.topics.linear_regression.vectorization_lab import Operation, vectorization, ways_of

CHANCE = torch.Generator().manual_seed(0)
x, y = torch.randn(2, 41, generator=CHANCE, dtype=torch.float64)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_laplace_noise_is_torchs(scale):
    theirs = torch.distributions.Laplace(torch.tensor(0.3).double(), scale)
    torch.testing.assert_close(laplace_density(x, 0.3, scale), theirs.log_prob(x).exp())
    expected = -torch.distributions.Laplace(x, scale).log_prob(y).sum()
    torch.testing.assert_close(laplace_negative_log_likelihood(x, y, scale), expected)


@pytest.mark.parametrize("criterion", ["squared", "huber", "absolute"])
def test_no_slope_costs_less_than_the_best(criterion):
    slope = best_slope(x, y, criterion)
    cost = CRITERIA[criterion]
    slopes = torch.linspace(-3, 3, 6001, dtype=torch.float64)
    costs = torch.stack([cost(w * x, y).mean() for w in slopes])
    assert cost(slope * x, y).mean() <= costs.min() + 1e-12
    assert slope == pytest.approx(float(slopes[costs.argmin()]), abs=2e-3)


def test_a_median_with_weights_is_that_of_repeated_values():
    values, weights = torch.tensor([3.0, 1.0, 2.0]), torch.tensor([1.0, 1.0, 3.0])
    assert weighted_median(values, weights) == torch.tensor([3.0, 1, 2, 2, 2]).median()
    assert weighted_median(torch.tensor([5.0]), torch.tensor([0.1])) == 5.0
    with pytest.raises(UsageError, match="values with some weight"):
        weighted_median(torch.tensor([]), torch.tensor([]))
    with pytest.raises(UsageError, match="x other than 0"):
        best_slope(torch.zeros(3), torch.ones(3), "squared")


def test_the_lab_finds_one_slope_for_every_sigma_and_refuses_too_many_outliers():
    report = gaussian_noise(examples=60, outliers=2)
    found = report.numbers["most likely under Gaussian noise, σ/2, σ, 2σ"]
    assert found == pytest.approx([report.numbers["least squares"]] * 3, abs=1e-9)
    assert report.numbers["most likely under Laplace noise"] == pytest.approx(
        report.numbers["least absolute error"], abs=1e-9
    )
    moved = {row["loss"]: abs(row["moved by"]) for row in report.tables["slopes by loss"]}
    assert moved["squared"] > 2 * moved["absolute"]
    again = gaussian_noise(examples=60, outliers=2)
    assert (again.numbers, again.tables) == (report.numbers, report.tables)
    with pytest.raises(UsageError, match="outliers wants at most the number of examples, 3, got 4"):
        gaussian_noise(examples=3, outliers=4)


@pytest.mark.parametrize("operation", Operation.__args__)
@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_every_way_computes_the_same(operation, n):
    first, *others = (way() for way in ways_of(operation, n, seed=3).values())
    for other in others:
        torch.testing.assert_close(other, first)


def test_loops_are_slower_and_that_is_told():
    report = vectorization(size=2000, repeats=1)
    assert report.numbers["results agree"]
    (table,) = report.tables.values()
    assert [row["entries"] for row in table] == [2, 20, 200, 2000]
    assert table[-1]["tensor loop / call"] > 10


@pytest.mark.parametrize("id", ["gaussian-noise", "vectorization"])
def test_the_labs_are_in_the_catalog(id):
    (section,) = (lab.section for lab in catalog.labs() if lab.id == id)
    assert section.startswith("3.1")
