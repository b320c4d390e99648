"""What the book says about test sets and what they can tell, as checks (section 4.6)."""

import math
from collections.abc import Iterator
from itertools import pairwise, product
from typing import Any

import torch
from torch import Tensor

from freedive.catalog import claim, erratum
from freedive.core.random import generator
from freedive.topics.generalization.adaptive import choose
from freedive.topics.generalization.bounds import (
    binomial_probabilities,
    binomial_tail,
    bonferroni,
    family_error,
    hoeffding_bound,
    hoeffding_sample_size,
    normal_sample_size,
    normal_tail,
    standard_error,
)
from freedive.topics.generalization.claims import sign_test

Evidence = Iterator[tuple[Any, ...]]


@claim(
    "4.6.1",
    "whether an example is misclassified has the variance ε(1 − ε) ≤ ¼: a test error of n "
    "examples deviates by at most √(0.25/n)",
    "002a C72",
)
def bernoulli_variance() -> Evidence:
    """From the exact distribution of the number of errors."""
    for n, error in product((1, 10, 500), (0.01, 0.3, 0.5, 0.9)):
        share = torch.arange(n + 1, dtype=torch.float64) / n
        p = binomial_probabilities(n, error)
        variance = float((p * (share - error) ** 2).sum())
        yield variance, error * (1 - error) / n, 1e-9
        yield variance, (0.0, 0.25 / n + 1e-9)


@claim(
    "4.6.1",
    "four times the examples halve the deviation, 10,000 times give a hundredth",
    "002a C73",
)
def rate() -> Evidence:
    """By formula, and by test errors of simulated sets."""
    for factor, share in ((4, 1 / 2), (10_000, 1 / 100)):
        yield standard_error(50 * factor) / standard_error(50), share, 1e-12
    spreads = []
    for n in (100, 400):
        counts = torch.full((20_000,), float(n))
        drawn = torch.binomial(counts, torch.full_like(counts, 0.5), generator=generator(0, n))
        spreads.append(float((drawn / n).std()))
    yield spreads[1] / spreads[0], 0.5, 0.02  # four standard errors of a ratio of deviations


@erratum(
    "4.6.1",
    "a deviation of 0.01 takes 2,500 examples; to come within ±0.01 in 95 of 100 cases takes "
    "9,604, or 10,000 with two deviations",
    printed="2,500 examples for ±0.01, beside 10,000 from the same asymptotic analysis",
    source=("002a E19", "002a C74"),
)
def one_deviation() -> Evidence:
    """How often ±0.01 is missed at ε = ½: exactly, and in the normal limit."""
    yield standard_error(2500), 0.01, 1e-12
    yield 1 - normal_tail(2500, 0.01), 0.6827, 1e-4
    yield binomial_tail(2500, 0.01), (0.31, 0.33)
    yield normal_sample_size(0.01, 0.95), 9604
    yield 2 * standard_error(10_000), 0.01, 1e-12
    yield binomial_tail(9604, 0.01), (0.048, 0.05)


@erratum(
    "4.6.1",
    "Hoeffding asks for 14,979 examples on one side and for 18,445 on both, the normal limit for "
    "6,764 and 9,604: 2.2 and 1.9 times fewer",
    printed="the one-sided bound is used for a distance: 15,000, “slightly more” than 10,000",
    source=("002a E20", "002a C75"),
)
def sides() -> Evidence:
    """±0.01 with a confidence of 95 %."""
    yield hoeffding_sample_size(0.01, 0.95, "one"), 14_979
    yield hoeffding_sample_size(0.01, 0.95, "two"), 18_445
    yield hoeffding_bound(14_979, 0.01, "two"), 0.1, 1e-5
    for side, ratio in (("one", 2.2), ("two", 1.9)):
        asked = hoeffding_sample_size(0.01, 0.95, side), normal_sample_size(0.01, 0.95, side)  # type: ignore[arg-type]
        yield asked[0] / asked[1], ratio, 0.05


@claim("4.6.1", "Hoeffding's bound exp(−2nt²) holds, far above what really happens", "002a C76")
def hoeffding_holds() -> Evidence:
    """Exact one-sided tails against it, for a hundred cases; then the book's 15,000 examples."""
    for n, margin, error in product(
        (5, 20, 100, 1000, 5000), (0.01, 0.05, 0.1, 0.2, 0.4), (0.05, 0.5)
    ):
        bound = hoeffding_bound(n, margin, "one")
        yield binomial_tail(n, margin, error, "one"), (0.0, bound * (1 + 1e-9))
    yield hoeffding_bound(15_000, 0.01, "one"), 0.0498, 1e-4
    yield binomial_tail(15_000, 0.01, sides="one"), 0.007, 5e-4


@erratum(
    "4.6.1",
    "four times the examples halve the error of the estimate; the test error stays what it is",
    printed="one halves the test error with four times the examples",
    source="002a E21",
)
def estimate_not_error() -> Evidence:
    """A classifier that errs in a tenth of the cases: mean and deviation of its test error."""
    spreads = []
    for n in (1000, 4000):
        share, p = torch.arange(n + 1, dtype=torch.float64) / n, binomial_probabilities(n, 0.1)
        mean = (p * share).sum()
        spreads.append(float((p * (share - mean) ** 2).sum().sqrt()))
        yield mean, 0.1, 1e-9
    yield spreads[1] / spreads[0], 0.5, 1e-6


@erratum(
    "4.6.1",
    "the central limit theorem wants a finite variance",
    printed="means become normal whatever the distribution is",
    source="002a E21",
)
def finite_variance() -> Evidence:
    """Half-widths of the middle half of means of n: uniform ones shrink, those of Cauchy do not."""
    widths = []
    for n in (1, 100):
        u = torch.rand(4000, n, generator=generator(0, n), dtype=torch.float64)
        rows = (u, torch.tan(math.pi * (u - 0.5)))
        quarters = torch.tensor([0.25, 0.75], dtype=torch.float64)
        widths.append([float(r.mean(dim=1).quantile(quarters).diff()) for r in rows])
    yield widths[1][0] / widths[0][0], (0.0, 0.1)
    yield widths[1][1] / widths[0][1], 1.0, 0.2  # four standard errors of a quartile range's ratio


@claim("4.6.2", "twenty tests at 5 % raise a false alarm with probability 0.64", "002a C77")
def many_tests() -> Evidence:
    """By formula and by simulation."""
    yield family_error(0.05, 20), 0.6415, 5e-5
    alarms = (torch.rand(20_000, 20, generator=generator(0)) < 0.05).any(dim=1)
    yield float(alarms.float().mean()), 0.6415, 4 * standard_error(20_000, 0.6415)


@claim("4.6.2", "Bonferroni keeps that probability below 5 %, at 0.0488 for twenty", "002a C78")
def bonferroni_holds() -> Evidence:
    """For independent tests, and as a sum for any: k · α/k."""
    yield family_error(bonferroni(0.05, 20), 20), 0.0488, 5e-5
    for k in (1, 2, 100, 10_000):
        yield family_error(bonferroni(0.05, k), k), (0.0, 0.05 + 1e-12)
        yield k * bonferroni(0.05, k), 0.05, 1e-12


@erratum(
    "4.6.2",
    "0.64 is the family-wise error rate of independent tests, which Bonferroni controls; the "
    "false discovery rate is another thing",
    printed="0.64 is called the false discovery rate, and independence is not mentioned",
    source="002a E22",
)
def family_or_discovery() -> Evidence:
    """Ten true effects, always found, among twenty tests; then twenty copies of one test."""
    false_alarms = torch.arange(11, dtype=torch.float64)
    p = binomial_probabilities(10, 0.05)
    yield float(p[1:].sum()), family_error(0.05, 10), 1e-12
    yield family_error(0.05, 10), 0.40, 0.005
    yield float((p * false_alarms / (false_alarms + 10)).sum()), (0.04, 0.05)
    same = torch.rand(20_000, 1, generator=generator(0)).expand(-1, 20) < 0.05
    yield float(same.any(dim=1).float().mean()), 0.05, 4 * standard_error(20_000, 0.05)


@claim("4.6.2", "a test set that chooses among models is too kind to what it chose", "002a C79")
def adaptive_overfitting() -> Evidence:
    """Coins chosen by 500 examples, forty times: the best of a hundred, and a vote."""
    found = [choose(500, 100, seed) for seed in range(40)]
    for here, fresh in (("best", "fresh_best"), ("vote", "fresh_vote")):
        gaps = [float(getattr(c, here)[-1] - getattr(c, fresh)[-1]) for c in found]
        yield sign_test(sum(g > 0 for g in gaps), 40), (0.0, 1e-6)
    best = sum(float(c.best[-1]) for c in found) / 40
    yield best, (0.54, 0.5 + math.sqrt(math.log(100) / 1000))  # the union bound's height
    fresh_best = sum(float(c.fresh_best[-1]) for c in found) / 40
    yield fresh_best, 0.5, 4 * standard_error(500) / math.sqrt(40)


@erratum(
    "4.6.2",
    "what wears out by many submissions is the public part that answers them; the private part, "
    "looked at once, stays honest",
    printed="competitors overfit the private data of a competition by submitting again and again",
    source="002a E23",
)
def leaderboards() -> Evidence:
    """Submissions are chosen by one half of the data, and judged in the end by the other."""
    found = [choose(500, 200, seed) for seed in range(40)]
    public = sum(float(c.vote[-1]) for c in found) / 40
    private = sum(float(c.fresh_vote[-1]) for c in found) / 40
    yield public, (0.6, 1.0)
    yield private, 0.5, 4 * standard_error(500) / math.sqrt(40)


def separates(X: Tensor, signs: Tensor) -> bool:
    """Whether wᵀx + b takes the given signs at d + 1 points: an interpolating map shows it."""
    A = torch.cat([X, torch.ones(len(X), 1, dtype=X.dtype)], dim=1)
    return bool(torch.equal((A @ torch.linalg.solve(A, signs)).sign(), signs))


@erratum(
    "4.6.3",
    "linear classifiers are infinitely many too; what bounds them is their VC dimension d + 1",
    printed="that there are infinitely many models is what sets deep networks apart",
    source="002a E24",
)
def vc_dimension() -> Evidence:
    """d + 1 points take every labelling; of d + 2 some labelling has hulls that meet (Radon).

    And one number can be too many: sin(ωx) labels 2^−1, …, 2^−m in every way.
    """
    for d in (1, 2, 4):
        X = torch.randn(d + 1, d, generator=generator(d), dtype=torch.float64)
        signs = torch.tensor(list(product((-1.0, 1.0), repeat=d + 1)), dtype=torch.float64)
        yield all(separates(X, row) for row in signs), True
        more = torch.randn(d + 2, d, generator=generator(d, 1), dtype=torch.float64)
        columns = torch.cat([more.T, torch.ones(1, d + 2, dtype=torch.float64)])
        null = torch.linalg.svd(columns).Vh[-1]  # Σ λᵢxᵢ = 0 and Σ λᵢ = 0
        hulls = [(part[:, None] * more).sum(dim=0) / part.sum()
                 for part in (null.clamp(min=0), (-null).clamp(min=0))]  # fmt: skip
        yield hulls[0], hulls[1], 1e-9
    x = torch.tensor([2.0**-i for i in range(1, 7)], dtype=torch.float64)
    for bits in product((0, 1), repeat=6):  # 1 where the sine is to be negative
        omega = math.pi * (1 + sum(b * 2**i for i, b in enumerate(bits, start=1)))
        yield bool((torch.sin(omega * x) < 0).equal(torch.tensor(bits, dtype=torch.bool))), True


@erratum(
    "4.6.3",
    "uniform convergence says that for every model at once the gap between its two errors is "
    "small; the errors themselves stay as different as the models",
    printed="the errors of all models converge to the same small range",
    source="002a E25",
)
def uniform_convergence() -> Evidence:
    """All thresholds on [0, 1] for y = 1(x > 0.3), whose true errors are |c − 0.3|."""
    thresholds = torch.linspace(0, 1, 501, dtype=torch.float64)
    truth = (thresholds - 0.3).abs()
    worst = []
    for n in (100, 400, 1600):
        gaps = []
        for seed in range(20):
            x = torch.rand(n, generator=generator(seed, n), dtype=torch.float64)
            wrong = (x[:, None] > thresholds) != (x[:, None] > 0.3)
            gaps.append(float((wrong.double().mean(dim=0) - truth).abs().max()))
        worst.append(sum(gaps) / len(gaps))
    for wide, narrow in pairwise(worst):
        yield wide / narrow, (1.4, 2.8)  # √4, give or take four standard errors
    yield worst[-1], (0.0, 0.04)
    yield float(truth.max() - truth.min()), 0.7, 1e-9
