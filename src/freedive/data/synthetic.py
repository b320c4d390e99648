"""Regression data from a known law, so that what is learnt can be compared with it (3.3)."""

import hashlib
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.core.data import DataModule
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Count, NonNegative, Whole
from freedive.core.loader import TensorLoader


class SyntheticRegressionData(DataModule):
    r"""Examples of $y = \mathbf{w}^\top \mathbf{x} + b + \epsilon$ (section 3.3).

    $\mathbf{x} \sim \mathcal{N}(0, I)$ and $\epsilon \sim \mathcal{N}(0, \text{noise}^2)$; the
    first ``num_train`` rows of `X` and `y` are for training, the others for validation.

    Args:
        w: true weights; their number is the number of features.
        b: true bias.
        noise: standard deviation of $\epsilon$.
        num_train: training examples.
        num_val: validation examples.
        batch_size: examples per batch.
        data_seed: of the examples; None draws them from torch's global generator.
    """

    name = "synthetic-regression"
    synthetic = True
    task = "regression"
    w: Float[Tensor, " num_inputs"]
    X: Float[Tensor, "n num_inputs"]
    y: Float[Tensor, "n 1"]
    num_train: int

    def __init__(
        self,
        w: Sequence[float] | Float[Tensor, " num_inputs"] = (2.0, -3.4),
        b: float = 4.2,
        noise: NonNegative = 0.01,
        num_train: Count = 1000,
        num_val: Count = 1000,
        batch_size: Count = 32,
        data_seed: Whole | None = None,
    ):
        self.save_hyperparameters(ignore=["w"])
        self.w = torch.as_tensor(w, dtype=torch.get_default_dtype()).reshape(-1)
        if not len(self.w) or not self.w.isfinite().all():
            raise UsageError(f"w wants at least one weight, all finite, got {w!r}")
        self.hparams["w"] = self.w.tolist()
        chance = None if data_seed is None else torch.Generator().manual_seed(data_seed)
        n = num_train + num_val
        self.X = torch.randn(n, len(self.w), generator=chance)
        errors = torch.randn(n, 1, generator=chance) * noise
        self.y = torch.matmul(self.X, self.w.reshape(-1, 1)) + b + errors

    def get_dataloader(self, train: bool) -> TensorLoader:
        """Batches of features and targets; shuffled where they are for training."""
        rows = slice(0, self.num_train) if train else slice(self.num_train, None)
        return self.get_tensorloader((self.X, self.y), train, rows)

    def model_arguments(self) -> dict[str, int]:
        """The number of features."""
        return {"num_inputs": len(self.w)}

    def fingerprint(self) -> str:
        """The name with the SHA-256 of all examples: they may come from the global generator."""
        digest = hashlib.sha256(self.X.numpy().data)
        digest.update(self.y.numpy().data)
        return f"{self.name}:{digest.hexdigest()}"
