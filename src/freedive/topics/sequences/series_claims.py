"""What the book says about sequences and Markov models, as checks (section 9.1)."""

from collections.abc import Iterator
from itertools import pairwise
from math import prod
from typing import Any

import torch

from freedive.catalog import claim
from freedive.core.random import generator
from freedive.topics.sequences import markov
from freedive.topics.sequences.autoregression import fitted
from freedive.topics.sequences.prediction import error_by_step, k_step
from freedive.topics.sequences.series import NoisySine, lagged

Evidence = Iterator[tuple[Any, ...]]


@claim(
    "9.1.2",
    "the product of all conditional probabilities is the joint, and sums to one",
    ("000 C53", "002b C35"),
)
def chain_rule() -> Evidence:
    """For distributions with no structure, over 81 and 1024 sequences."""
    for symbols, length in ((3, 4), (2, 10)):
        joint = markov.random_joint(symbols, length, generator(0, symbols))
        product = prod(markov.forward_factors(joint), start=torch.ones_like(joint))
        yield product.sum(), 1.0, 1e-12
        yield product, joint, 1e-15


@claim("9.1.2.1", "the probabilities of a Markov model of any order sum to one", "000 C53")
def markov_sums() -> Evidence:
    """Of a joint that is no chain."""
    joint = markov.random_joint(3, 5, generator(0))
    for order in range(5):
        yield markov.markov_approximation(joint, order).sum(), 1.0, 1e-12


@claim("9.1.2.1", "two steps of a chain have the transition matrix T²", "000 C54")
def two_steps() -> Evidence:
    """The sum over what lies between, and what a joint of three symbols says."""
    joint = markov.random_chain(4, 3, 1, generator(0))
    ends = joint.sum(dim=1)
    T = joint.sum(dim=0) / joint.sum(dim=(0, 2))[:, None]  # P(x₃ | x₂), that of every step
    yield markov.two_step(T), T @ T, 1e-12
    yield ends / ends.sum(dim=1, keepdim=True), T @ T, 1e-12


@claim(
    "9.1.2.1",
    "a Markov model loses less with each further order, and nothing from the chain's order on",
    "000 C56",
)
def loss_by_order() -> Evidence:
    """KL to the truth: of ten distributions without structure, and of chains of order 1 and 2."""
    for seed in range(10):
        joint = markov.random_joint(3, 4, generator(seed))
        lost = [
            markov.divergence(joint, markov.markov_approximation(joint, order))
            for order in range(4)
        ]
        yield all(more > less for more, less in pairwise(lost)), True
        yield lost[-1], 0.0, 1e-12
    for order in (1, 2):
        chain = markov.random_chain(3, 5, order, generator(1, order))
        yield markov.divergence(chain, markov.markov_approximation(chain, order)), 0.0, 1e-12
        lower = markov.markov_approximation(chain, order - 1)
        yield markov.divergence(chain, lower), (0.1, 10.0)


@claim(
    "9.1.2.2",
    "the product of the conditionals in reverse order is the same joint distribution",
    "000 C55",
)
def reverse_order() -> Evidence:
    """The entropies of the factors differ, their sum does not: neither order is the true one."""
    joint = markov.random_joint(3, 4, generator(0))
    forward, reverse = markov.forward_factors(joint), markov.reverse_factors(joint)
    yield prod(reverse, start=torch.ones_like(joint)), joint, 1e-15
    entropies = [[markov.entropy(joint, f) for f in way] for way in (forward, reverse)]
    yield sum(entropies[0]), sum(entropies[1]), 1e-12
    yield max(abs(f - r) for f, r in zip(*entropies, strict=True)), (0.01, 10.0)


@claim(
    "9.1.3",
    "T values give T − τ rows of τ values and the next one",
    ("002b section 9.1", "001_003_004 C76"),
)
def rows_of_lags() -> Evidence:
    """The book's series, row by row."""
    data = NoisySine()
    features, labels = lagged(data.x, data.tau)
    yield list(features.shape), [996, 4]
    yield list(labels.shape), [996, 1]
    for row in (0, 500, 995):
        yield features[row], data.x[row : row + 4], 0.0
        yield labels[row, 0], data.x[row + 4], 0.0


@claim("9.1.4", "the error of k-step predictions grows with k", "SYSTEMS autoregression")
def error_grows() -> Evidence:
    """Errors 1, 4, 16 and 64 steps ahead on unseen values, the mean over ten series."""
    errors = torch.stack([errors_ahead(seed) for seed in range(10)]).mean(dim=0)
    one, four, sixteen, last = (float(errors[k - 1]) for k in (1, 4, 16, 64))
    yield four > one, True
    yield sixteen / one, (1.05, 1.5)
    yield last / one, (1.8, 3.0)


def errors_ahead(seed: int) -> torch.Tensor:
    """The errors of the best linear model of four values, 1 to 64 steps ahead."""
    data = NoisySine(data_seed=seed)
    return error_by_step(*k_step(fitted(data), data.unseen, data.tau, 64))
