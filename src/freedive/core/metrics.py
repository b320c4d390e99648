"""Measures of a model, as means over examples (sections 3.6, 4.3, 9.3)."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

Curve = Iterator[tuple[float, float]]


def accuracy(
    y_hat: Float[Tensor, "*batch classes"], y: Int[Tensor, "*batch"], averaged: bool = True
) -> Tensor:
    """The share of examples whose largest output is the true class (section 4.3.2).

    A single output column is a logit of class 1: it is right where its sign is.

    Args:
        y_hat: scores or logits, one column a class.
        y: true classes.
        averaged: False gives 0.0 or 1.0 for each example.
    """
    scores = y_hat.reshape(-1, y_hat.shape[-1])
    guesses = scores.argmax(dim=1) if scores.shape[1] > 1 else (scores[:, 0] > 0).long()
    right = (guesses == y.reshape(-1)).to(torch.float32)
    return right.mean() if averaged else right


def confusion_matrix(
    predicted: Int[Tensor, " n"], true: Int[Tensor, " n"], num_classes: int
) -> Int[Tensor, "classes classes"]:
    """How often an example of class i (row) was taken for class j (column)."""
    cells = true * num_classes + predicted
    return torch.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def perplexity(mean_loss: float) -> float:
    """exp of the mean cross-entropy in nats: never a mean of exponentials (section 9.3.2)."""
    return math.exp(mean_loss) if mean_loss < 700 else math.inf


class Meter:
    """One epoch's measurements: kept on the device, read seldom, averaged over examples.

    A value stays a tensor on its device until `read`, which moves all waiting ones at once.
    The mean does not depend on when they were read.
    """

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}  # one number a step
        self.weights: dict[str, list[int]] = {}  # how many examples each stands for
        self._waiting: list[tuple[str, Tensor, int | Tensor]] = []

    def add(self, name: str, value: Tensor | float, num_examples: int | Tensor) -> None:
        """Note one step's mean over ``num_examples`` examples."""
        if isinstance(value, Tensor):
            self._waiting.append((name, value.detach(), num_examples))
        else:
            self.read(name)  # keeps the order of what is still waiting
            self.values.setdefault(name, []).append(float(value))
            self.weights.setdefault(name, []).append(int(num_examples))

    def read(self, *names: str) -> None:
        """Bring what waits on the device to the host: the only synchronisation."""
        if not self._waiting or (names and not any(n in names for n, *_ in self._waiting)):
            return
        waiting, self._waiting = self._waiting, []
        weights = [w for *_, w in waiting if isinstance(w, Tensor)]
        scalars = [value for _, value, _ in waiting] + weights
        numbers = torch.stack([s.float().reshape(()) for s in scalars]).tolist()
        counted = iter(numbers[len(waiting) :])
        for (name, _, weight), number in zip(waiting, numbers, strict=False):
            self.values.setdefault(name, []).append(number)
            count = next(counted) if isinstance(weight, Tensor) else weight
            self.weights.setdefault(name, []).append(int(count))

    def means(self) -> dict[str, float]:
        """The mean of every series over all examples seen."""
        self.read()
        return {name: weighted_mean(self.values[name], self.weights[name]) for name in self.values}

    def forget(self, prefix: str) -> None:
        """Drop the series whose names begin so."""
        self.read()
        for name in [n for n in self.values if n.startswith(prefix)]:
            del self.values[name], self.weights[name]

    def curve(self, name: str, first: int, num_steps: int | None, num_points: int) -> Curve:
        """The points of a series' curve, from number ``first`` on, that are complete by now.

        An epoch of ``num_steps`` steps is cut into at most ``num_points`` equal parts; a point is
        (part of the epoch that has passed, mean of its part). What is cut does not depend on when,
        so there is none as long as ``num_steps`` is not known.
        """
        values, weights = self.values[name], self.weights[name]
        steps = num_steps or 0
        parts = min(num_points, steps)
        edges = [steps * k // parts for k in range(parts + 1)] if parts else []
        for start, end in list(pairwise(edges))[first:]:
            if end > len(values):
                return
            yield end / steps, weighted_mean(values[start:end], weights[start:end])

    def state_dict(self) -> dict[str, dict[str, list[float]] | dict[str, list[int]]]:
        """What a resumed epoch must know of its first part."""
        self.read()
        return {"values": self.values, "weights": self.weights}

    def load_state_dict(self, state: dict[str, dict[str, list[float]]]) -> None:
        """Go on from `state_dict`."""
        self.values = {name: list(numbers) for name, numbers in state["values"].items()}
        self.weights = {n: [int(w) for w in ws] for n, ws in state["weights"].items()}


def weighted_mean(values: Sequence[float], weights: Sequence[int]) -> float:
    """Σ wᵢvᵢ / Σ wᵢ, summed exactly; NaN where there is nothing to average."""
    total = sum(weights)
    if not total:
        return math.nan
    terms = [w * v for w, v in zip(weights, values, strict=True)]
    return math.fsum(terms) / total if all(map(math.isfinite, terms)) else sum(terms) / total
