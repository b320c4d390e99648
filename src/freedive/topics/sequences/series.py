"""A noisy sine, and the table that makes one-step prediction of it regression (section 9.1.3)."""

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.core.data import DataModule
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Count, NonNegative, Whole
from freedive.core.loader import TensorLoader


def lagged(
    x: Float[Tensor, " steps"], tau: int
) -> tuple[Float[Tensor, "rows tau"], Float[Tensor, "rows 1"]]:
    """Each τ values in a row, and the value that follows: T − τ rows from T values.

    Raises:
        UsageError: the series has no value that follows τ others.
    """
    if len(x) <= tau:
        raise UsageError(
            f"a series of {len(x)} values gives no row of {tau} and the next one: "
            "pass a longer series or a smaller tau"
        )
    return x.unfold(0, tau, 1)[:-1], x[tau:, None]


class NoisySine(DataModule):
    r"""$x_t = \sin(0.01 t) + \epsilon_t$ with $\epsilon_t \sim \mathcal{N}(0, \text{noise}^2)$.

    The first ``num_train`` rows of the table are for training; no value that is to be predicted
    in validation stands in any of them.

    Args:
        tau: τ, the known values in a row.
        noise: standard deviation of $\epsilon_t$.
        num_train: training rows.
        num_val: validation rows; the series has τ values more than both.
        batch_size: rows per batch.
        data_seed: of the noise.
    """

    name = "noisy-sine"
    synthetic = True
    task = "series"
    tau: int
    num_train: int

    def __init__(
        self,
        tau: Count = 4,
        noise: NonNegative = 0.2,
        num_train: Count = 600,
        num_val: Count = 396,
        batch_size: Count = 16,
        data_seed: Whole = 0,
    ):
        self.save_hyperparameters()
        self.time = torch.arange(1.0, num_train + num_val + tau + 1)
        chance = torch.Generator().manual_seed(data_seed)
        errors = noise * torch.randn(len(self.time), generator=chance)
        self.x: Float[Tensor, " steps"] = torch.sin(0.01 * self.time) + errors

    @property
    def unseen(self) -> Float[Tensor, " steps"]:
        """The series from the first validation row on; its first τ values are in training rows."""
        return self.x[self.num_train :]

    def get_dataloader(self, train: bool) -> TensorLoader:
        """Batches of rows and next values; shuffled where they are for training."""
        rows = slice(0, self.num_train) if train else slice(self.num_train, None)
        return self.get_tensorloader(lagged(self.x, self.tau), train, rows)

    def model_arguments(self) -> dict[str, int]:
        """The number of values in a row."""
        return {"num_inputs": self.tau}
