"""Random features under least squares: past interpolation the error falls again (5.5.1)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.core.random import generator


@dataclass(frozen=True)
class Problem:
    """A linear law with noise, and the directions that its random features look along.

    Attributes:
        X, y: examples to learn from.
        X_fresh, y_fresh: inputs of the test and their true values, without noise.
        noise: standard deviation of ε.
        V: the features are relu(x V); the first k columns make a model of width k.
    """

    X: Float[Tensor, "n num_inputs"]
    y: Float[Tensor, " n"]
    X_fresh: Float[Tensor, "fresh num_inputs"]
    y_fresh: Float[Tensor, " fresh"]
    noise: float
    V: Float[Tensor, "num_inputs widest"]


def problem(
    num_train: int,
    noise: float,
    widest: int,
    seed: int,
    stream: int = 0,
    num_inputs: int = 20,
    num_fresh: int = 400,
) -> Problem:
    """x ~ N(0, I), y = wᵀx + ε with ‖w‖ ≈ 1 and ε ~ N(0, noise²)."""

    def normal(part: int, *shape: int) -> Tensor:
        chance = generator(seed, stream, part)
        return torch.randn(*shape, generator=chance, dtype=torch.float64)

    w, V = normal(0, num_inputs) / num_inputs**0.5, normal(1, num_inputs, widest) / num_inputs**0.5
    X, fresh = normal(2, num_train, num_inputs), normal(3, num_fresh, num_inputs)
    return Problem(X, X @ w + noise * normal(4, num_train), fresh, fresh @ w, noise, V)


def features(
    X: Float[Tensor, "n num_inputs"], V: Float[Tensor, "num_inputs width"]
) -> Float[Tensor, "n width"]:
    """relu(xᵀv) for each direction v: a hidden layer that is never trained."""
    return torch.relu(X @ V)


def least_norm(
    A: Float[Tensor, "n width"], y: Float[Tensor, " n"], ridge: float = 0.0
) -> Float[Tensor, " width"]:
    """The weights of the least squared error, and among those the shortest ones.

    With a penalty they minimise (1/n) Σ ½(Aw − y)² + ½λ‖w‖². Gradient descent from 0 ends at
    the same weights.
    """
    U, s, Vh = torch.linalg.svd(A, full_matrices=False)
    inverse = torch.where(s > 1e-10 * s.max(), 1 / s, 0)  # what is 0 up to rounding is left out
    scale = s / (s**2 + len(A) * ridge) if ridge else inverse
    return Vh.T @ (scale * (U.T @ y))


@dataclass(frozen=True)
class Errors:
    """Mean squared errors of one model, and the length of its weights.

    Attributes:
        train: on its examples, noise included.
        test: from fresh true values, so that a perfect model has 0.
        gap: what fresh examples with noise would cost more than its own.
        norm: ‖w‖.
    """

    train: float
    test: float
    gap: float
    norm: float


def errors(task: Problem, width: int, ridge: float = 0.0) -> Errors:
    """Fit a model of some width, and judge it on its examples and on fresh true values."""
    V = task.V[:, :width]
    A = features(task.X, V)
    w = least_norm(A, task.y, ridge)
    train = (A @ w - task.y).square().mean()
    test = (features(task.X_fresh, V) @ w - task.y_fresh).square().mean()
    gap = test + task.noise**2 - train
    return Errors(float(train), float(test), float(gap), float(w.norm()))
