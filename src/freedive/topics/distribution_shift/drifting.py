"""Batch and online learners in a world whose concept drifts (sections 4.7.3.4 and 4.7.4)."""

import math
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freedive.core.random import generator
from freedive.topics.distribution_shift.scratch import LinearClassifier, fit_classifier
from freedive.topics.distribution_shift.shifts import Sample, concept_sample

Drift = Literal["gradual", "abrupt", "none"]


class DriftingWorld:
    """Shows a few inputs a step and, after the answer, their labels; its concept turns.

    Args:
        kind: gradual, a little each step; abrupt, all at once in the middle; or none.
        angle: how far the concept turns in all, in radians.
        steps: in how many steps.
        batch_size: inputs a step.
        noise: share of labels that are flipped.
        seed: of all of it; learners that meet the same seed meet the same data.
    """

    def __init__(
        self, kind: Drift, angle: float, steps: int, batch_size: int, noise: float, seed: int
    ):
        self.kind, self.angle, self.steps = kind, angle, steps
        self.batch_size, self.noise = batch_size, noise
        self.chance = generator(seed, 1)
        self.step = 0
        self.now: Sample | None = None

    def concept(self, step: int) -> float:
        """Direction of label 1 at a step."""
        gradual = self.angle * step / max(self.steps - 1, 1)
        abrupt = self.angle * (step >= self.steps / 2)
        return {"gradual": gradual, "abrupt": abrupt, "none": 0.0}[self.kind]

    def observe(self) -> Float[Tensor, "batch 2"]:
        """The next inputs."""
        angle = self.concept(self.step)
        self.now = concept_sample(self.batch_size, angle, self.noise, self.chance)
        return self.now.X

    def respond(
        self, action: Int[Tensor, " batch"]
    ) -> tuple[Int[Tensor, " batch"], Float[Tensor, ""]]:
        """The labels, and the share of them that was missed."""
        assert self.now is not None
        self.step += 1
        return self.now.y, (action != self.now.y).double().mean()


class OnlineLearner:
    """Logistic regression that takes one step of gradient descent on each batch, then forgets it.

    w ← w + η (1/n) Σ (yᵢ − σ(wᵀxᵢ)) xᵢ
    """

    def __init__(self, lr: float):
        self.lr = lr
        self.w = torch.zeros(2, dtype=torch.float64)

    def act(self, seen: Float[Tensor, "batch 2"]) -> Int[Tensor, " batch"]:
        """The side of its line."""
        return (seen @ self.w > 0).long()

    def learn(
        self, seen: Float[Tensor, "batch 2"], action: Tensor, told: Int[Tensor, " batch"]
    ) -> None:
        """One step."""
        residual = told - torch.sigmoid(seen @ self.w)
        self.w = self.w + self.lr * (residual[:, None] * seen).mean(dim=0)


class Refitter:
    """A classifier that is fitted anew, from scratch, on examples that it keeps.

    Args:
        every: batches between two fits.
        window: fit on the last so many examples only; None keeps all.
        stop: learn from the first so many examples only, then stay: batch learning.
    """

    def __init__(self, every: int = 5, window: int | None = None, stop: int | None = None):
        self.every, self.window, self.stop = every, window, stop
        self.X = torch.zeros(0, 2, dtype=torch.float64)
        self.y = torch.zeros(0, dtype=torch.int64)
        self.batches = self.seen = 0
        self.classifier: LinearClassifier | None = None

    def act(self, seen: Float[Tensor, "batch 2"]) -> Int[Tensor, " batch"]:
        """What the last fit says; before the first, always 0."""
        if self.classifier is None:
            return torch.zeros(len(seen), dtype=torch.int64)
        return self.classifier.predict(seen)

    def learn(
        self, seen: Float[Tensor, "batch 2"], action: Tensor, told: Int[Tensor, " batch"]
    ) -> None:
        """Keep the examples; fit when it is time."""
        if self.stop is not None and self.seen >= self.stop:
            return
        self.seen += len(seen)
        self.batches += 1
        self.X, self.y = torch.cat([self.X, seen]), torch.cat([self.y, told])
        if self.window is not None:
            self.X, self.y = self.X[-self.window :], self.y[-self.window :]
        last = self.stop is not None and self.seen >= self.stop
        if self.batches % self.every == 1 or self.every == 1 or last:
            self.classifier = fit_classifier(self.X, self.y, 2, l2=1e-3)


def moving_average(values: Float[Tensor, " n"], width: int) -> Float[Tensor, " n"]:
    """The mean of the last ``width`` values, of fewer at the start."""
    sums = torch.cat([values.new_zeros(1), values.cumsum(dim=0)])
    ends = torch.arange(1, len(values) + 1)
    starts = (ends - width).clamp(min=0)
    return (sums[ends] - sums[starts]) / (ends - starts)


def radians(degrees: float) -> float:
    """Radians of an angle in degrees."""
    return degrees * math.pi / 180
