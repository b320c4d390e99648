"""Linear regression with weight decay, with torch.nn (section 3.7.4)."""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freedive.catalog import system
from freedive.core.data import DataModule
from freedive.core.hyperparameters import Count, NonNegative, Positive
from freedive.core.module import Regressor
from freedive.topics.generalization.many_inputs import ManyInputs
from freedive.topics.linear_regression.report import parameter_report


@system("weight-decay", section="3.7", data=ManyInputs, trainer={"max_epochs": 10})
class WeightDecay(Regressor):
    """Linear regression with weight decay: the optimizer shrinks the weights (section 3.7.4).

    The loss is half of `MSELoss`, so that λ and the learning rate mean what they mean from
    scratch.

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
        self.net = nn.Linear(num_inputs, 1)  # not lazy: there the initialisation would be lost
        nn.init.normal_(self.net.weight, std=sigma)
        nn.init.zeros_(self.net.bias)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Minibatch SGD whose weight decay is λ for the weights and 0 for the bias."""
        groups: list[dict[str, Any]] = [
            {"params": self.net.weight, "weight_decay": self.lambd},
            {"params": self.net.bias},
        ]
        return torch.optim.SGD(groups, lr=self.lr)

    def get_w_b(self) -> tuple[Float[Tensor, " num_inputs"], Float[Tensor, ""]]:
        """The weights and the bias, apart from the graph."""
        return self.net.weight.detach().reshape(-1), self.net.bias.detach().reshape(())

    def write_samples(self, data: DataModule, folder: Path) -> list[str]:
        """What was found, beside the law of the data."""
        return parameter_report(*self.get_w_b(), data, folder)
