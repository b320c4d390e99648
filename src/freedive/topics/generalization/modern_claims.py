"""What the book says about models that fit everything, and about penalties (section 5.5)."""

import math
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from statistics import median
from typing import Any

import torch
from torch import Tensor

from freedive.catalog import claim, erratum
from freedive.topics.generalization.claims import normal, sign_test
from freedive.topics.generalization.double_descent import errors, problem
from freedive.topics.generalization.label_noise import (
    Course,
    Task,
    draw_task,
    learn,
    stopping_epoch,
)
from freedive.topics.generalization.neighbours import (
    classify,
    draw_classes,
    limit_error,
    noisy_error,
)
from freedive.topics.generalization.penalties import lasso, ridge
from freedive.topics.linear_regression.scratch import SGD

Evidence = Iterator[tuple[Any, ...]]
RUNS = 10  # nets side by side: all ten agreeing by chance has the probability 2⁻¹⁰
WIDTHS = (2, 10, 40, 100, 300, 1000)


@cache
def descent() -> dict[int, list[Any]]:
    """Errors by width of fifteen problems with 100 examples and noise ½."""
    tasks = [problem(100, 0.5, WIDTHS[-1], 0, stream, num_fresh=200) for stream in range(15)]
    return {k: [errors(task, k) for task in tasks] for k in WIDTHS}


def rises(before: list[float], after: list[float]) -> float:
    """How easily chance alone would make so many problems rise from one width to another."""
    return sign_test(sum(a > b for b, a in zip(before, after, strict=True)), len(before))


@claim(
    "5.5.1",
    "double descent: past the width that just interpolates, the test error falls again, below "
    "where it was before",
    "002a C101",
)
def double_descent_happens() -> Evidence:
    """Fifteen problems; sign tests: chance would do each step with less than 1 in 1000."""
    test = {k: [e.test for e in found] for k, found in descent().items()}
    for low, high in ((10, 2), (40, 2), (40, 100), (1000, 100), (1000, 300), (1000, 40)):
        yield rises(test[low], test[high]), (0.0, 1e-3)
    yield median(test[100]) / median(test[40]), (5.0, math.inf)
    for k in (100, 300, 1000):
        yield max(e.train for e in descent()[k]), (0.0, 1e-9)


@erratum(
    "5.5.1",
    "the error falls, rises and falls; the gap between test and training error only rises and "
    "falls: “double descent” names the first",
    printed="double descent is said once of the gap and once of the error",
    source="002a E38",
)
def error_or_gap() -> Evidence:
    """Medians of fifteen problems by width: where each goes up."""
    for name, up in (("gap", [True, True, True, False, False]),
                     ("test", [False, False, True, False, False])):  # fmt: skip
        path = [median(getattr(e, name) for e in descent()[k]) for k in WIDTHS]
        yield [float(b > a) for a, b in pairwise(path)], [float(u) for u in up]


@claim(
    "5.5.2", "one nearest neighbour has no training error where no two inputs agree", "002a C103"
)
def no_training_error() -> Evidence:
    """Random labels, three metrics; two examples at one place break it."""
    X, y = normal(300, 5), torch.arange(300) * 7 % 3
    for metric in ("euclidean", "manhattan", "maximum"):
        yield int((classify(X, X, y, 1, metric) != y).sum()), 0
    twice = torch.cat([X[:1], X[:1]])
    yield int((classify(twice, twice, torch.tensor([0, 1])) != torch.tensor([0, 1])).sum()), 1


@erratum(
    "5.5.2",
    "one nearest neighbour tends to the best classifier only without label noise; with noise ε its "
    "error tends to 2ε(1 − ε)",
    printed="one nearest neighbour converges to the optimal predictor",
    source=("002a E39", "002a C104"),
)
def limit_of_one_neighbour() -> Evidence:
    """Errors with growing data, with a fifth of the labels wrong and without."""
    fresh, truth, _ = draw_classes(1000, 0.0, 0, 1)
    for flip in (0.2, 0.0):
        found = []
        for n in (100, 1000, 6000):
            X, y, _ = draw_classes(n, flip, 0, n)
            found.append(noisy_error(classify(fresh, X, y), truth, flip))
        # what 1000 queries add: each of them is right or wrong
        yield found[-1], limit_error(flip), 0.035 if flip else 0.015
        if not flip:
            yield found[-1] < found[0], True
        else:
            yield found[-1], (flip + 0.08, 1.0)


@cache
def courses(flip: float) -> tuple[Task, Course]:
    """Ten nets on 300 examples each."""
    task = draw_task(RUNS, 300, flip, 0)
    return task, learn(task, max_epochs=30, lr=0.005)


@claim("5.5.2", "a wide net can fit random labels without error", "002a C102")
def random_labels() -> Evidence:
    """Two nets of 512 units, 200 examples of which half have the wrong label."""
    course = learn(draw_task(2, 200, 0.5, 0, num_test=10), 512, 30, 0.01)
    yield course.clean[-1], [1.0] * 2, 0.0
    yield course.flipped[-1], [1.0] * 2, 0.0


@claim(
    "5.5.4", "the usual strengths of weight decay do not keep a net from interpolating", "002a C108"
)
def decay_is_too_weak() -> Evidence:
    """The same with λ of 0.0001 and 0.0005, and with 0.01, where a few of 400 may still differ."""
    for weight_decay, least in ((1e-4, 1.0), (5e-4, 1.0), (1e-2, 0.96)):
        course = learn(draw_task(2, 200, 0.5, 0, num_test=10), 512, 40, 0.01, weight_decay)
        for accuracy in (course.clean[-1], course.flipped[-1]):
            yield float(accuracy.mean()), (least, 1.0)


@claim(
    "5.5.3",
    "nets fit right labels before wrong ones, so that early stopping helps where labels are noisy",
    "002a C105",
)
def right_labels_first() -> Evidence:
    """Ten nets, 30 % wrong labels; where the right ones are known the wrong ones are not yet."""
    _, course = courses(0.3)
    early = int((course.clean.mean(dim=1) > 0.85).nonzero()[0])
    yield float(course.flipped[early].max()), (0.0, 0.6)
    yield float(course.flipped[-1].mean()), (0.95, 1.0)
    gains = gains_by_stopping(course)
    yield sign_test(int((gains > 0).sum()), RUNS), (0.0, 0.011)  # nine of ten or all
    yield float(gains.mean()), (0.05, 0.2)


@claim("5.5.3", "where the labels can all be right, early stopping gains little", "002a C106")
def little_without_noise() -> Evidence:
    """The same nets without wrong labels: the gain in test accuracy, beside that with noise."""
    gains = gains_by_stopping(courses(0.0)[1])
    yield float(gains.abs().max()), (0.0, 0.05)
    yield float(gains.mean()), (-0.02, 0.01)
    yield float(gains_by_stopping(courses(0.3)[1]).mean() - gains.mean()), (0.05, 0.2)


def gains_by_stopping(course: Course) -> Tensor:
    """Test accuracy of the weights that early stopping keeps, above that of the last."""
    kept = [stopping_epoch(1 - val, patience=5)[1] for val in course.val.T]
    columns = torch.arange(course.test.shape[1])
    return course.test[torch.tensor(kept), columns] - course.test[-1]


@claim("5.5.4", "lasso gives weights that are exactly 0, ridge none", "002a C107")
def exact_zeros() -> Evidence:
    """Thirty features of which four matter; the optimum's conditions are checked as well."""
    X, truth, lambd = normal(100, 30), torch.zeros(30, dtype=torch.float64), 0.3
    truth[:4] = torch.tensor([3.0, -2.0, 1.5, 1.0], dtype=torch.float64)
    y = X @ truth + 0.5 * normal(100, stream=1)
    sparse, dense = lasso(X, y, lambd), ridge(X, y, lambd)
    yield int((sparse == 0).sum()), (20, 26)
    yield bool((sparse[:4] != 0).all()), True
    yield int((dense == 0).sum()), 0
    gradient = X.T @ (X @ sparse - y) / 100
    used = sparse != 0
    yield gradient[used], -lambd * sparse[used].sign(), 1e-6
    yield float(gradient.abs().max()), (0.0, lambd + 1e-6)


@erratum(
    "5.5.4",
    "weight decay is the ℓ₂ penalty: only its step multiplies the weights; that of ℓ₁ moves each "
    "by the same length",
    printed="weight decay adds an ℓ₂ or an ℓ₁ term",
    source="002a E40",
)
def only_l2_decays() -> Evidence:
    """Steps without data: large and small weights under either penalty."""
    first = torch.tensor([4.0, -1.0, 0.5], dtype=torch.float64)
    for penalty, expected in (
        (lambda w: w.square().sum() / 2, 0.9 * first),
        (lambda w: w.abs().sum(), first - 0.1 * first.sign()),
    ):
        w = first.clone().requires_grad_()
        penalty(w).backward()
        SGD([w], 0.1).step()
        yield w.detach(), expected, 1e-12
