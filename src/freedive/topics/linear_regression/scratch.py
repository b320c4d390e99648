"""Linear regression from tensors up (section 3.4)."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freedive.catalog import system
from freedive.core.data import DataModule
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Count, NonNegative, Positive
from freedive.core.module import Regressor
from freedive.topics.linear_regression.report import parameter_report

Criterion = Literal["squared", "huber", "absolute"]


def squared_loss(y_hat: Float[Tensor, "*n"], y: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """½(ŷ − y)² for each example (section 3.1.1.2)."""
    return (y_hat - y) ** 2 / 2


def huber_loss(
    y_hat: Float[Tensor, "*n"], y: Float[Tensor, "*n"], delta: float = 1.0
) -> Float[Tensor, "*n"]:
    """½e² for errors |e| up to δ, δ(|e| − ½δ) beyond: outliers pull no harder than δ."""
    error = (y_hat - y).abs()
    return torch.where(error <= delta, error**2 / 2, delta * (error - delta / 2))


def absolute_loss(y_hat: Float[Tensor, "*n"], y: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """|ŷ − y| for each example."""
    return (y_hat - y).abs()


CRITERIA = {"squared": squared_loss, "huber": huber_loss, "absolute": absolute_loss}


class SGD:
    """Minibatch stochastic gradient descent: p ← p − η ∂L/∂p (section 3.4.3).

    L is the mean over the batch that was seen, so a short last batch needs no correction.

    Args:
        params: what is moved, in place.
        lr: the learning rate η.
    """

    def __init__(self, params: Iterable[Tensor], lr: Positive):
        self.params, self.lr = list(params), lr

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for param in self.params:
            if param.grad is not None:
                param -= self.lr * param.grad

    def zero_grad(self) -> None:
        """Forget the gradients, which would otherwise add up."""
        for param in self.params:
            param.grad = None


@system("linear-regression", form="scratch")
class LinearRegressionScratch(Regressor):
    """Linear regression: ŷ = Xw + b, with w ~ N(0, σ²) and b = 0 at first (section 3.4).

    Args:
        num_inputs: features of an example.
        lr: the learning rate.
        sigma: standard deviation of the first weights.
        criterion: what an error costs: squared, huber or absolute.
    """

    num_inputs: int
    sigma: float
    criterion: Criterion

    def __init__(
        self,
        num_inputs: Count = 2,
        lr: Positive = 0.03,
        sigma: NonNegative = 0.01,
        criterion: Criterion = "squared",
    ):
        super().__init__()
        self.save_hyperparameters()
        self.w = nn.Parameter(torch.randn(num_inputs, 1) * sigma)
        self.b = nn.Parameter(torch.zeros(1))

    def forward(self, X: Float[Tensor, "batch num_inputs"]) -> Float[Tensor, "batch 1"]:
        """ŷ = Xw + b."""
        return X @ self.w + self.b

    def loss(self, y_hat: Float[Tensor, "batch 1"], y: Float[Tensor, "*batch"]) -> Tensor:
        """The mean of what the errors cost."""
        return CRITERIA[self.criterion](y_hat, self.like(y, y_hat)).mean()

    def configure_optimizers(self) -> SGD:
        """The hand-written SGD."""
        return SGD(self.parameters(), self.lr)

    def get_w_b(self) -> tuple[Float[Tensor, " num_inputs"], Float[Tensor, ""]]:
        """The weights and the bias, apart from the graph."""
        return self.w.detach().reshape(-1), self.b.detach().reshape(())

    def write_samples(self, data: DataModule, folder: Path) -> list[str]:
        """What was found, beside the law of the data."""
        return parameter_report(*self.get_w_b(), data, folder)


def least_squares(
    X: Float[Tensor, "n num_inputs"], y: Float[Tensor, "*n"]
) -> tuple[Float[Tensor, " num_inputs"], Float[Tensor, ""]]:
    """The w and b that minimise the squared loss: (AᵀA)⁻¹Aᵀy with A = [X, 1] (section 3.1.1.3).

    Raises:
        UsageError: some feature is a combination of the others, or examples are too few.
    """
    A = torch.cat([X, X.new_ones(len(X), 1)], dim=1)
    if int(torch.linalg.matrix_rank(A)) < A.shape[1]:
        raise UsageError(
            f"least_squares wants {A.shape[1]} independent columns (features and a one), got "
            f"rank {int(torch.linalg.matrix_rank(A))} from {len(X)} examples: "
            "drop dependent features or add examples"
        )
    solution = torch.linalg.solve(A.T @ A, A.T @ y.reshape(-1))
    return solution[:-1], solution[-1]


def normal_density(x: Float[Tensor, "*n"], mu: float, sigma: float) -> Float[Tensor, "*n"]:
    """(2πσ²)^−½ exp(−(x − μ)²/2σ²) (section 3.1.3)."""
    return torch.exp(-((x - mu) ** 2) / (2 * sigma**2)) / math.sqrt(2 * math.pi * sigma**2)


def gaussian_negative_log_likelihood(
    y_hat: Float[Tensor, "*n"], y: Float[Tensor, "*n"], sigma: float
) -> Float[Tensor, ""]:
    """½n log 2πσ² + Σ(y − ŷ)²/2σ²: −log P(y | X) under Gaussian noise (section 3.1.3)."""
    constant = y.numel() / 2 * math.log(2 * math.pi * sigma**2)
    return constant + squared_loss(y_hat, y).sum() / sigma**2
