"""Linear regression with weight decay from tensors up (section 3.7.3)."""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freedive.catalog import system
from freedive.core.data import DataModule
from freedive.core.hyperparameters import Count, NonNegative, Positive
from freedive.core.module import Regressor
from freedive.topics.linear_regression.report import parameter_report
from freedive.topics.linear_regression.scratch import SGD, squared_loss


def l2_penalty(w: Float[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """½‖w‖²: half the *square* of the norm, whose gradient is w itself (section 3.7.1)."""
    return w.square().sum() / 2


@system("weight-decay", form="scratch")
class WeightDecayScratch(Regressor):
    """Linear regression with an ℓ₂ penalty: the training loss is L(w, b) + ½λ‖w‖² (section 3.7).

    The penalty steers only the training: what is recorded is the loss without it, so that runs
    with different λ can be compared.

    Args:
        num_inputs: features of an example.
        lambd: λ, the strength of the penalty; 0 leaves it out.
        lr: the learning rate.
        sigma: standard deviation of the first weights.
    """

    lambd: float

    def __init__(
        self,
        num_inputs: Count = 200,
        lambd: NonNegative = 3.0,
        lr: Positive = 0.01,
        sigma: NonNegative = 0.01,
    ):
        super().__init__()
        self.save_hyperparameters()
        self.w = nn.Parameter(torch.randn(num_inputs, 1) * sigma)
        self.b = nn.Parameter(torch.zeros(1))

    def forward(self, X: Float[Tensor, "batch num_inputs"]) -> Float[Tensor, "batch 1"]:
        """ŷ = Xw + b."""
        return X @ self.w + self.b

    def loss(self, y_hat: Float[Tensor, "batch 1"], y: Float[Tensor, "*batch"]) -> Tensor:
        """The mean of ½(ŷ − y)²."""
        return squared_loss(y_hat, self.like(y, y_hat)).mean()

    def training_step(self, batch: Any) -> Tensor:
        """The loss with its penalty on the weights; the bias costs nothing."""
        return super().training_step(batch) + self.lambd * l2_penalty(self.w)

    def configure_optimizers(self) -> SGD:
        """The hand-written SGD: with the penalty, its step is w ← (1 − ηλ)w − η ∂L/∂w."""
        return SGD(self.parameters(), self.lr)

    def get_w_b(self) -> tuple[Float[Tensor, " num_inputs"], Float[Tensor, ""]]:
        """The weights and the bias, apart from the graph."""
        return self.w.detach().reshape(-1), self.b.detach().reshape(())

    def write_samples(self, data: DataModule, folder: Path) -> list[str]:
        """What was found, beside the law of the data."""
        return parameter_report(*self.get_w_b(), data, folder)
