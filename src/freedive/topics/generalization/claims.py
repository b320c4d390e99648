"""What the book says about generalization, capacity and cross-validation, as checks (3.6)."""

import math
from collections.abc import Iterator
from itertools import combinations_with_replacement, pairwise
from typing import Any

import torch
from torch import Tensor

from freedive.catalog import claim, erratum
from freedive.core.random import generator
from freedive.topics.generalization.k_fold import cross_validate, k_fold
from freedive.topics.generalization.polynomial import draw, error, fit
from freedive.topics.generalization.polynomial_lab import errors_by_degree

Evidence = Iterator[tuple[Any, ...]]


def normal(*shape: int, stream: int = 0) -> Tensor:
    """Standard normal numbers in double precision, the same each time."""
    return torch.randn(*shape, generator=generator(0, stream), dtype=torch.float64)


def sign_test(wins: int, trials: int) -> float:
    """P(at least so many wins of fair coins): how easily chance alone makes such a trend."""
    return sum(math.comb(trials, k) for k in range(wins, trials + 1)) / 2**trials


@claim(
    "3.6.1",
    "the training error underestimates the error on new data: least squares with d weights and n "
    "examples errs by 1 − d/n and by 1 + d/(n − d − 1) of the noise",
    "002a C40",
)
def optimistic_training_error() -> Evidence:
    """Two thousand problems of 40 examples and 10 weights; within four standard errors."""
    runs, n, d = 2000, 40, 10
    X, fresh = normal(runs, n, d), normal(runs, 20, d, stream=1)
    y = normal(runs, n, 1, stream=2)  # unit noise: the true weights shift nothing and may be 0
    w = torch.linalg.solve(X.mT @ X, X.mT @ y)
    train = (X @ w - y).square().mean(dim=(1, 2))
    test = (fresh @ w).square().mean(dim=(1, 2)) + 1
    for found, theory in ((train, 1 - d / n), (test, 1 + d / (n - d - 1))):
        yield found.mean(), theory, 4 * float(found.std()) / runs**0.5


@claim(
    "3.6.2",
    "the training error never rises with the degree of a polynomial",
    ("000 C22", "002a C42"),
)
def training_error_by_degree() -> Evidence:
    """Forty samples of twenty points, degrees 0 to 12."""
    train, _ = errors_by_degree("sine", list(range(13)), 20, 0.2, 40, 0)
    yield float(train.diff(dim=0).max()), (-math.inf, 1e-9)


@claim(
    "3.6.2",
    "the error on unseen data is U-shaped in the degree: too simple and too rich both lose",
    ("002a C42", "000 C22"),
)
def u_shape() -> Evidence:
    """Degree 3 against 1 and 12 on forty samples; a sign test names what chance would do."""
    _, unseen = errors_by_degree("sine", [1, 3, 12], 20, 0.2, 40, 0)
    for other in (0, 2):
        wins = int((unseen[1] < unseen[other]).sum())
        yield sign_test(wins, 40), (0.0, 1e-6)


@claim("3.6.2", "more data almost always generalize better", "002a C43")
def more_data() -> Evidence:
    """Four times the examples, sixty times for each of two degrees; sign tests below 10⁻⁶."""
    for degree in (3, 6):
        fresh = draw("sine", 60, 500, noise=0.2, seed=0, stream=9)
        few, many = (
            error(fit(draw("sine", 60, n, noise=0.2, seed=0, stream=n), degree), fresh)
            for n in (20, 80)
        )
        yield sign_test(int((many < few).sum()), 60), (0.0, 1e-6)


@erratum(
    "3.6.2",
    "underfitting is a small gap between the errors where both are high; a small gap with low "
    "errors is what one wants",
    printed="underfitting is a small difference between training and validation error",
    source=("000 E19", "001_003_004 S1, under- and overfitting"),
)
def underfitting() -> Evidence:
    """A line and a cubic with 400 examples each: equal gaps, errors that differ fivefold."""
    train, unseen = (
        e.median(dim=1).values for e in errors_by_degree("sine", [1, 3], 400, 0.2, 9, 0)
    )
    gaps = (unseen - train).abs() / unseen
    yield float(gaps[0]), (0.0, 0.1)
    yield float(gaps[1]), (0.0, 0.1)
    yield float(unseen[0] / unseen[1]), (4.0, 6.0)


@claim(
    "3.6.2",
    "a polynomial in k variables has C(k − 1 + d, k − 1) monomials of degree d",
    "001_003_004 C11",
)
def monomials() -> Evidence:
    """Counted one by one, for up to seven variables."""
    for k in range(1, 8):
        for d in range(7):
            counted = sum(1 for _ in combinations_with_replacement(range(k), d))
            yield math.comb(k - 1 + d, k - 1), counted


@claim(
    "3.6.3",
    "K folds are disjoint and complete, whether K divides the examples or not: K trainings",
    ("002a C41", "000 C21"),
)
def folds() -> Evidence:
    """Even and uneven folds, and leave-one-out."""
    for n, k in ((20, 5), (23, 5), (7, 7), (10, 3)):
        splits = k_fold(n, k, seed=n)
        yield len(splits), k
        judged = torch.cat([val for _, val in splits])
        yield sorted(judged.tolist()), list(range(n))
        for train, val in splits:
            yield sorted([*train.tolist(), *val.tolist()]), list(range(n))
        sizes = [len(val) for _, val in splits]
        yield max(sizes) - min(sizes), (0, 1)


@claim(
    "3.6.3",
    "the mean over K rounds estimates the error on new data, which the training error does not",
    ("002a C41", "001_003_004 S1, K-fold"),
)
def cross_validation_estimates() -> Evidence:
    """Means over sixty samples of forty points: cubic fits by 5 folds, within four errors."""
    fresh = draw("sine", 2000, noise=0.2, seed=0, stream=1)
    rows = []
    for seed in range(60):
        sample = draw("sine", 40, noise=0.2, seed=seed, stream=2)

        def one_round(train: Tensor, val: Tensor, sample: Any = sample) -> tuple[float, float]:
            learnt, held = (type(sample)(sample.x[r], sample.y[r]) for r in (train, val))
            w = fit(learnt, 3)
            return float(error(w, learnt)), float(error(w, held))

        cv = cross_validate(one_round, 40, 5, seed)
        rows.append([cv.train_error, cv.val_error, float(error(fit(sample, 3), fresh))])
    train, val, truth = torch.tensor(rows, dtype=torch.float64).T
    band = 4 * float((val - truth).std()) / 60**0.5
    yield (val - truth).mean(), 0.0, band + 0.002  # folds teach with 32 of 40: slightly too high
    yield float((truth - train).mean()), (band, 1.0)


@claim("3.6.3", "a test error is the expected error up to chance that shrinks as 1/√n", "002a C40")
def unbiased_test_error() -> Evidence:
    """One fitted line, judged by test sets of growing size: spread over 400 of each."""
    w = fit(draw("sine", 30, noise=0.2, seed=0), 1)
    spreads = []
    for n in (25, 100, 400):
        found = error(w.expand(400, 2), draw("sine", 400, n, noise=0.2, seed=0, stream=n))
        truth = float(error(w, draw("sine", 200_000, noise=0.2, seed=0, stream=1)))
        spreads.append(float(found.std()))
        yield found.mean(), truth, 4 * spreads[-1] / 20
    for wide, narrow in pairwise(spreads):
        yield wide / narrow, (1.6, 2.4)  # 2 ± 0.1 of chance in either spread
