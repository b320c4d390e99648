"""Prices of houses from a table with gaps (section 5.7)."""

import math
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freedive.catalog import system
from freedive.core.data import DataModule
from freedive.core.figures import figure_bytes
from freedive.core.files import write_whole
from freedive.core.hyperparameters import Count, NonNegative, Positive, Probability, Whole
from freedive.core.module import Regressor
from freedive.core.predicting import predicting
from freedive.core.schedules import scheduled
from freedive.data.house_prices import HousePrices
from freedive.topics.mlp.house_price_figures import predictions_figure, residuals_figure

LINEAR = {"num_hiddens": 0, "dropout": 0.0, "lr": 0.02}


@system(
    "house-prices",
    section="5.7",
    data=HousePrices,
    trainer={"max_epochs": 40},
    data_settings={"batch_size": 256},
    presets={"linear": LINEAR},
)
class HousePriceMLP(Regressor):
    """House prices: an MLP on a table with gaps, trained on log prices (section 5.7).

    An error of 50,000 is small for a mansion and large for a hut. Relative errors count, so the
    model learns log y, and its outputs lie around the mean of that.

    Args:
        num_inputs: features of a row.
        target_mean: of the training rows' log prices; no parameter, for weight decay would pull
            it to 0.
        num_hiddens: hidden units; 0 leaves a linear model, which begins at 0.
        dropout: share of the hidden units that are dropped in training.
        lr: the learning rate at its peak; a cosine leads down to 0 from there.
        weight_decay: share of the weights that a step at learning rate 1 would take off.
    """

    target_mean: float
    num_hiddens: int
    net: nn.Sequential | nn.Linear
    weight_decay: float

    def __init__(
        self,
        num_inputs: Count = 315,
        target_mean: float = 12.0,
        num_hiddens: Whole = 64,
        dropout: Probability = 0.2,
        lr: Positive = 0.01,
        weight_decay: NonNegative = 1.0,
    ):
        super().__init__()
        self.save_hyperparameters()
        if num_hiddens:
            self.net = nn.Sequential(
                nn.Linear(num_inputs, num_hiddens),
                nn.ReLU(),
                nn.Dropout(dropout),
                nn.Linear(num_hiddens, 1),
            )
        else:
            self.net = nn.Linear(num_inputs, 1)
            nn.init.zeros_(self.net.weight)
            nn.init.zeros_(self.net.bias)

    def forward(self, X: Float[Tensor, "batch num_inputs"]) -> Float[Tensor, "batch 1"]:
        """The log price of each row."""
        return self.net(X) + self.target_mean

    def derived(self, means: dict[str, float]) -> dict[str, float]:
        """The root mean squared error of the log prices: √(1/n Σ (log ŷ − log y)²)."""
        return {"val_log_rmse": math.sqrt(2 * means["val_loss"])} if "val_loss" in means else {}

    def configure_optimizers(self) -> Any:
        """AdamW, whose decay is apart from the gradient's scale, under a cosine."""
        optim = torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=self.weight_decay)
        return scheduled(optim, self.trainer, "cosine")

    def write_samples(self, data: DataModule, folder: Path) -> list[str]:
        """Predicted against true prices of the validation rows, and their residuals."""
        true, predicted = log_prices(self, data)
        figures = {
            "predictions": predictions_figure(true, {"": predicted}),
            "residuals": residuals_figure(true, {"": predicted}),
        }
        for name, figure in figures.items():
            write_whole(folder / f"{name}.svg", figure_bytes(figure))
        return [f"log-RMSE {log_rmse(predicted, true):.4f} on {len(true):,} validation rows"]


def log_rmse(predicted: Float[Tensor, " rows"], true: Float[Tensor, " rows"]) -> float:
    """√(1/n Σ (log ŷ − log y)²) of log prices: Kaggle's measure of section 5.7."""
    return float((predicted.double() - true.double()).square().mean().sqrt())


def log_prices(
    model: nn.Module, data: DataModule
) -> tuple[Float[Tensor, " rows"], Float[Tensor, " rows"]]:
    """The true log prices of the validation rows, and what a model says of them."""
    device = next(model.parameters()).device
    true, predicted = [], []
    with predicting(model):
        for X, y in data.val_dataloader() or ():
            predicted.append(model(X.to(device)).float().cpu().reshape(-1))
            true.append(y.cpu().reshape(-1))
    return torch.cat(true), torch.cat(predicted)
