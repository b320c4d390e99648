"""Asking one test set too often: guesses that are chosen by it look better than they are (4.6.2).

The classifiers here guess by coin on two balanced classes: each is right half of the time, and
whatever a test set says above that is chance.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from freedive.core.random import generator


@dataclass(frozen=True)
class Chosen:
    """What came of choosing among coin-flipping classifiers by a test set.

    Attributes:
        best: accuracy of the best of the first k there, k = 1 … .
        vote: accuracy there of the majority of those of the first k that beat ½.
        fresh_best, fresh_vote: the same classifiers on as many fresh examples.
    """

    best: Float[Tensor, " looks"]
    vote: Float[Tensor, " looks"]
    fresh_best: Float[Tensor, " looks"]
    fresh_vote: Float[Tensor, " looks"]


def choose(num_examples: int, looks: int, seed: int = 0) -> Chosen:
    """Look at the test accuracy of many classifiers, and keep what it recommends.

    Args:
        num_examples: examples in the test set.
        looks: how many classifiers are measured with it.
        seed: of their coins.
    """
    right, fresh = (coins(looks, num_examples, seed, stream) for stream in (1, 2))
    accuracy = right.double().mean(dim=1)
    leader = leaders(accuracy)
    used = accuracy > 0.5
    votes = [majority(correct, used) for correct in (right, fresh)]
    return Chosen(accuracy[leader], votes[0], fresh.double().mean(dim=1)[leader], votes[1])


def coins(looks: int, num_examples: int, seed: int, stream: int) -> Bool[Tensor, "looks examples"]:
    """Whether each classifier is right on each example."""
    return torch.rand(looks, num_examples, generator=generator(seed, stream)) < 0.5


def leaders(accuracy: Float[Tensor, " looks"]) -> Tensor:
    """For each k, the index of the best of the first k."""
    return accuracy.cummax(dim=0).indices


def majority(
    right: Bool[Tensor, "looks examples"], used: Bool[Tensor, " looks"]
) -> Float[Tensor, " looks"]:
    """Accuracy of a vote among the used ones of the first k; a tie is half right."""
    ballots = torch.where(right, 1, -1) * used[:, None]
    return (ballots.cumsum(dim=0).sign() + 1).double().mean(dim=1) / 2
