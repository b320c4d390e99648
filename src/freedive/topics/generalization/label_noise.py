"""Nets that learn wrong labels by heart, the right ones first (section 5.5.3)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from freedive.core.errors import UsageError
from freedive.core.random import generator


@dataclass(frozen=True)
class Task:
    """Several independent problems side by side: a linear border in 20 dimensions.

    Attributes:
        X, y: inputs, and the labels that the net is given, 0 or 1.
        flipped: which of these are the wrong ones.
        X_val, y_val: validation data, with labels as noisy as those.
        X_test, y_test: test data with true labels.
    """

    X: Float[Tensor, "runs n d"]
    y: Float[Tensor, "runs n 1"]
    flipped: Bool[Tensor, "runs n 1"]
    X_val: Float[Tensor, "runs n d"]
    y_val: Float[Tensor, "runs n 1"]
    X_test: Float[Tensor, "runs tests d"]
    y_test: Float[Tensor, "runs tests 1"]


def draw_task(
    runs: int, num_train: int, flip: float, seed: int, d: int = 20, num_test: int = 500
) -> Task:
    """Draw the problems.

    Args:
        runs: how many.
        num_train: training examples of each, and as many for validation.
        flip: probability that a label is the wrong one; ½ leaves nothing to be learnt.
        seed: of all draws.
        d: features of an example.
        num_test: test examples of each.
    """
    chance = generator(seed)
    w = torch.randn(runs, d, 1, generator=chance)
    parts = []
    for n, share in ((num_train, flip), (num_train, flip), (num_test, 0.0)):
        X = torch.randn(runs, n, d, generator=chance)
        flipped = torch.rand(runs, n, 1, generator=chance) < share
        parts.append((X, ((X @ w > 0) ^ flipped).float(), flipped))
    (X, y, flipped), (X_val, y_val, _), (X_test, y_test, _) = parts
    return Task(X, y, flipped, X_val, y_val, X_test, y_test)


class Nets(nn.Module):
    """One hidden layer of ReLUs and one logit, for each problem its own net.

    All are trained at once: their losses are added, and no weight is shared.

    Args:
        runs: how many nets.
        d: features of an example.
        width: hidden units of each.
        seed: of the first weights, drawn as He et al. do.
    """

    def __init__(self, runs: int, d: int, width: int, seed: int):
        super().__init__()
        chance = generator(seed, 1)
        self.W1 = nn.Parameter(torch.randn(runs, d, width, generator=chance) * (2 / d) ** 0.5)
        self.b1 = nn.Parameter(torch.zeros(runs, 1, width))
        self.W2 = nn.Parameter(torch.randn(runs, width, 1, generator=chance) / width**0.5)
        self.b2 = nn.Parameter(torch.zeros(runs, 1, 1))

    def forward(self, X: Float[Tensor, "runs n d"]) -> Float[Tensor, "runs n 1"]:
        """relu(XW₁ + b₁)W₂ + b₂."""
        return torch.relu(X @ self.W1 + self.b1) @ self.W2 + self.b2

    @torch.no_grad()
    def right(
        self, X: Float[Tensor, "runs n d"], y: Float[Tensor, "runs n 1"]
    ) -> Bool[Tensor, "runs n 1"]:
        """Where a guess is the label."""
        return (self(X) > 0) == (y > 0.5)


@dataclass(frozen=True)
class Course:
    """Accuracies after each epoch, a column for each run; NaN where there are no such labels.

    Attributes:
        clean: on training examples whose label is right.
        flipped: on those whose label is wrong, counted by that label.
        val: on validation examples, with their noisy labels.
        test: on test examples, with true labels.
    """

    clean: Float[Tensor, "epochs runs"]
    flipped: Float[Tensor, "epochs runs"]
    val: Float[Tensor, "epochs runs"]
    test: Float[Tensor, "epochs runs"]


def learn(
    task: Task,
    width: int = 256,
    max_epochs: int = 40,
    lr: float = 0.005,
    weight_decay: float = 0.0,
    batch_size: int = 50,
    seed: int = 0,
) -> Course:
    """Train a net for each problem by Adam, and measure it after every epoch."""
    runs, n, d = task.X.shape
    nets = Nets(runs, d, width, seed)
    optim = torch.optim.Adam(nets.parameters(), lr=lr, weight_decay=weight_decay)
    measured = []
    for epoch in range(max_epochs):
        for rows in torch.randperm(n, generator=generator(seed, 2, epoch)).split(batch_size):
            optim.zero_grad()
            loss = F.binary_cross_entropy_with_logits(
                nets(task.X[:, rows]), task.y[:, rows], reduction="sum"
            )
            (loss / len(rows)).backward()
            optim.step()
        measured.append(measure(nets, task))
    return Course(*(torch.stack(column) for column in zip(*measured, strict=True)))


def measure(nets: Nets, task: Task) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The four accuracies of a `Course`, now."""
    right = nets.right(task.X, task.y)
    clean, flipped = (
        (right & chosen).sum(dim=(1, 2)) / chosen.sum(dim=(1, 2))
        for chosen in (~task.flipped, task.flipped)
    )
    val, test = (
        nets.right(X, y).float().mean(dim=(1, 2))
        for X, y in ((task.X_val, task.y_val), (task.X_test, task.y_test))
    )
    return clean, flipped, val, test


def stopping_epoch(
    errors: Float[Tensor, " epochs"], patience: int, min_delta: float = 0.0
) -> tuple[int, int]:
    """Where early stopping would have ended, and the epoch whose weights it keeps, from 0 on.

    It ends once the error has not fallen by more than ε for some epochs (section 5.5.3).

    Args:
        errors: the validation error after each epoch.
        patience: epochs without improvement that are allowed.
        min_delta: ε, what counts as improvement.

    Raises:
        UsageError: no epoch to choose from, or no patience.
    """
    if not len(errors) or patience < 1:
        raise UsageError(
            f"early stopping wants an epoch and a patience of at least 1, got {len(errors)} epochs "
            f"and a patience of {patience}"
        )
    best = 0
    for epoch, error in enumerate(errors.tolist()):
        if error < float(errors[best]) - min_delta:
            best = epoch
        elif epoch - best >= patience:
            return epoch, best
    return len(errors) - 1, best
