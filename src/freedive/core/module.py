"""What a model is to the trainer (sections 3.2.2, 4.3)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from freedive.core.board import ProgressBoard
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import HyperParameters
from freedive.core.metrics import accuracy
from freedive.core.samples import classifier_samples

if TYPE_CHECKING:
    from freedive.core.data import DataModule
    from freedive.core.trainer import Trainer


class Module(HyperParameters, nn.Module):
    """Base of all models: what a step computes and which optimizer moves the parameters.

    A subclass sets ``self.net`` or writes `forward`, and writes `loss`.
    """

    lr: float
    trainer: "Trainer | None" = None  # set while it trains

    def __init__(self) -> None:
        super().__init__()
        self.board = ProgressBoard()

    def forward(self, X: Tensor) -> Tensor:
        """The outputs for a batch of inputs: ``self.net(X)``."""
        if not hasattr(self, "net"):
            raise NotImplementedError(f"{type(self).__name__} wants self.net or a forward(X)")
        return self.net(X)

    def loss(self, y_hat: Tensor, y: Tensor) -> Tensor:
        """The mean loss of a batch of outputs."""
        raise NotImplementedError(f"{type(self).__name__} wants a loss(y_hat, y)")

    def training_step(self, batch: Any) -> Tensor:
        """The loss that is differentiated; noted as ``train_loss``."""
        loss = self.loss(self(*batch[:-1]), batch[-1])
        self.plot("loss", loss, train=True)
        return loss

    def validation_step(self, batch: Any) -> None:
        """Notes what is measured on a validation batch: here ``val_loss``."""
        self.plot("loss", self.loss(self(*batch[:-1]), batch[-1]), train=False)

    def configure_optimizers(self) -> Any:
        """The optimizer, or a pair (optimizer, learning-rate scheduler): minibatch SGD."""
        return torch.optim.SGD(self.parameters(), lr=self.lr)

    def weight(self, batch: Any) -> int | Tensor:
        """How much a batch's means count: its examples; where a loss is masked, its real tokens."""
        return len(batch[-1])

    def derived(self, means: dict[str, float]) -> dict[str, float]:
        """What an epoch's means say besides, such as a perplexity."""
        return {}

    def carried_state(self) -> dict[str, Any]:
        """What a resumed epoch must know of the model beyond its weights."""
        return {}

    def load_carried_state(self, state: dict[str, Any]) -> None:
        """Go on from `carried_state`."""

    def plot(self, key: str, value: Tensor | float, train: bool) -> None:
        """Note a batch's mean of ``key``; without a trainer nothing happens."""
        if self.trainer is not None:
            self.trainer.record(key, value, train)

    def write_samples(self, data: "DataModule", folder: Path) -> list[str]:
        """Files for people to look at once training has ended; gives one line on each."""
        return []


class Classifier(Module):
    """A model whose outputs are logits, one a class (section 4.3)."""

    def validation_step(self, batch: Any) -> None:
        """Notes ``val_loss`` and ``val_acc``."""
        y_hat = self(*batch[:-1])
        self.plot("loss", self.loss(y_hat, batch[-1]), train=False)
        self.plot("acc", self.accuracy(y_hat, batch[-1]), train=False)

    def loss(
        self,
        y_hat: Float[Tensor, "*batch classes"],
        y: Int[Tensor, "*batch"] | Float[Tensor, "*batch classes"],
        averaged: bool = True,
    ) -> Tensor:
        """Cross-entropy of logits: logsumexp(o) − o_y, in nats (section 4.5.2).

        Targets may also be probabilities p of the classes, such as mixup makes: Σ_k p_k times that.

        Raises:
            UsageError: probabilities that are not one for each output.
        """
        refuse_other_classes(y_hat, y)
        classes = y_hat.shape[-1]
        return F.cross_entropy(
            y_hat.reshape(-1, classes),
            y.reshape(-1, classes) if y.is_floating_point() else y.reshape(-1),
            reduction="mean" if averaged else "none",
        )

    def accuracy(
        self,
        y_hat: Float[Tensor, "*batch classes"],
        y: Int[Tensor, "*batch"],
        averaged: bool = True,
    ) -> Tensor:
        """The share of right guesses (section 4.3.2)."""
        return accuracy(y_hat, y, averaged)

    def write_samples(self, data: "DataModule", folder: Path) -> list[str]:
        """The confusion matrix and, for images, a gallery of wrong predictions."""
        return classifier_samples(self, data, folder)


def refuse_other_classes(y_hat: Tensor, y: Tensor) -> None:
    """Raise `UsageError` for targets that are probabilities, but not one for each output."""
    if y.is_floating_point() and y.shape != y_hat.shape:
        raise UsageError(
            f"mixup wants one output for each class of the data, got outputs of shape "
            f"{tuple(y_hat.shape)} and probabilities of shape {tuple(y.shape)}: leave the "
            "number of outputs to the data"
        )


class Regressor(Module):
    """A model whose outputs are real numbers."""

    def loss(self, y_hat: Float[Tensor, "*shape"], y: Float[Tensor, "*other"]) -> Tensor:
        """Half the mean squared error, ½(ŷ − y)² (section 3.1.1.2)."""
        return F.mse_loss(y_hat, self.like(y, y_hat)) / 2

    @staticmethod
    def like(y: Tensor, y_hat: Tensor) -> Tensor:
        """Targets in the outputs' shape: (n,) against (n, 1) would broadcast to (n, n)."""
        if y.numel() != y_hat.numel():
            raise UsageError(
                f"the outputs have shape {tuple(y_hat.shape)}, the targets {tuple(y.shape)}: "
                "one number is wanted for each target"
            )
        return y.reshape(y_hat.shape)
