"""Linear regression with torch.nn (section 3.5)."""

from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from freedive.catalog import system
from freedive.core.data import DataModule
from freedive.core.hyperparameters import Count, NonNegative, Positive
from freedive.core.module import Regressor
from freedive.data.synthetic import SyntheticRegressionData
from freedive.topics.linear_regression.report import parameter_report
from freedive.topics.linear_regression.scratch import Criterion


def squared_loss(y_hat: Float[Tensor, "*n"], y: Float[Tensor, "*n"]) -> Float[Tensor, ""]:
    """The mean of ½(ŷ − y)²; `F.mse_loss` alone would double the learning rate."""
    return F.mse_loss(y_hat, y) / 2


CRITERIA: dict[str, Callable[..., Tensor]] = {
    "squared": squared_loss,
    "huber": F.huber_loss,
    "absolute": F.l1_loss,
}


@system("linear-regression", section="3.4", data=SyntheticRegressionData, trainer={"max_epochs": 3})
class LinearRegression(Regressor):
    """Linear regression: one affine unit fitted by minibatch SGD (section 3.5).

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
        self.net = nn.Linear(num_inputs, 1)
        nn.init.normal_(self.net.weight, std=sigma)
        nn.init.zeros_(self.net.bias)

    def loss(self, y_hat: Float[Tensor, "batch 1"], y: Float[Tensor, "*batch"]) -> Tensor:
        """The mean of what the errors cost."""
        return CRITERIA[self.criterion](y_hat, self.like(y, y_hat))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Minibatch SGD."""
        return torch.optim.SGD(self.parameters(), lr=self.lr)

    def get_w_b(self) -> tuple[Float[Tensor, " num_inputs"], Float[Tensor, ""]]:
        """The weights and the bias, apart from the graph."""
        return self.net.weight.detach().reshape(-1), self.net.bias.detach().reshape(())

    def write_samples(self, data: DataModule, folder: Path) -> list[str]:
        """What was found, beside the law of the data."""
        return parameter_report(*self.get_w_b(), data, folder)
