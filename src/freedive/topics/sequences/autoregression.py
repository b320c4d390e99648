"""Autoregression from tensors up and with torch.nn: linear regression on the past (9.1.3)."""

from pathlib import Path

from freedive.catalog import system
from freedive.core.data import DataModule
from freedive.core.hyperparameters import Count, NonNegative, Positive
from freedive.topics.linear_regression.concise import LinearRegression
from freedive.topics.linear_regression.scratch import (
    Criterion,
    LinearRegressionScratch,
    least_squares,
)
from freedive.topics.sequences.prediction import Predictor
from freedive.topics.sequences.prediction_figures import write_predictions
from freedive.topics.sequences.series import NoisySine, lagged


@system("autoregression", form="scratch")
class AutoregressionScratch(LinearRegressionScratch):
    """Autoregression: the next value of a series, linear in the last τ (section 9.1.3).

    Args:
        num_inputs: τ, how many values are looked at.
    """

    def __init__(
        self,
        num_inputs: Count = 4,
        lr: Positive = 0.01,
        sigma: NonNegative = 0.01,
        criterion: Criterion = "squared",
    ):
        super().__init__(num_inputs, lr, sigma, criterion)

    def write_samples(self, data: DataModule, folder: Path) -> list[str]:
        """How the error grows with the steps ahead."""
        return write_predictions(self, data, folder)


@system("autoregression", section="9.1.3", data=NoisySine, trainer={"max_epochs": 5})
class Autoregression(LinearRegression):
    """Autoregression: the next value of a series, linear in the last τ (section 9.1.3).

    Args:
        num_inputs: τ, how many values are looked at.
    """

    def __init__(
        self,
        num_inputs: Count = 4,
        lr: Positive = 0.01,
        sigma: NonNegative = 0.01,
        criterion: Criterion = "squared",
    ):
        super().__init__(num_inputs, lr, sigma, criterion)

    def write_samples(self, data: DataModule, folder: Path) -> list[str]:
        """How the error grows with the steps ahead."""
        return write_predictions(self, data, folder)


def fitted(data: NoisySine) -> Predictor:
    """The linear model that no other beats on the training rows."""
    X, y = lagged(data.x, data.tau)
    w, b = least_squares(X[: data.num_train].double(), y[: data.num_train].double())
    return lambda windows: (windows.double() @ w + b)[:, None].to(windows.dtype)
