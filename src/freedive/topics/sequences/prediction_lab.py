"""An experiment on predicting further and further ahead (section 9.1.4)."""

from typing import Annotated, Any

from torch import Tensor

from freedive.catalog import lab
from freedive.core.hyperparameters import Bounds, Positive, Whole
from freedive.core.random import preserved_random_state, seed_everything
from freedive.core.report import Report
from freedive.core.trainer import Trainer
from freedive.topics.sequences.autoregression import Autoregression, fitted
from freedive.topics.sequences.prediction import error_by_step, k_step
from freedive.topics.sequences.prediction_figures import error_figure, series_figure
from freedive.topics.sequences.series import NoisySine, lagged

LAGS = (1, 4, 16, 64)  # τ in the comparison of exact fits
SHOWN = (1, 2, 4, 8, 16, 32, 64, 128)  # steps ahead in the table
NOTES = (
    "After the first step a prediction rests on predictions, whose errors add up: far ahead, they "
    "tell no more than the mean of what was learnt from.",
    "On average nothing predicts better than the noise; more past values even more of it out.",
)
Steps = Annotated[int, Bounds(1, 200, whole=True)]
Row = dict[str, Any]


@lab("k-step-prediction", section="9.1.4")
def k_step_prediction(
    tau: Annotated[int, Bounds(1, 100, whole=True)] = 4,
    k: Steps = 64,
    noise: Annotated[float, Bounds(0.01, 2)] = 0.2,
    max_epochs: Annotated[int, Bounds(1, 50, whole=True)] = 5,
    lr: Positive = 0.01,
    seed: Whole = 0,
) -> Report:
    """A linear model of a noisy sine, asked for the next value, and for the one k steps ahead.

    Args:
        tau: τ, the past values that it looks at.
        k: how many steps ahead it is asked at most.
        noise: standard deviation of the noise.
        max_epochs: passes over the 600 training rows.
        lr: the learning rate.
        seed: of noise, first weights and the order of training.
    """
    data = NoisySine(tau, noise, data_seed=seed)
    model = trained(data, max_epochs, lr, seed)
    errors = error_by_step(*k_step(model, data.unseen, tau, k))
    exact = {f"least squares, τ = {lags}": fitted_errors(lags, noise, k, seed) for lags in LAGS}
    spread = float(data.unseen[tau:].std())
    curves = {f"trained, τ = {tau}": errors, **exact}
    ahead = sorted({a for a in (1, 4, 16) if a < k} | {k})
    return Report(
        numbers={
            "rows of the table": len(lagged(data.x, tau)[0]),
            "error one step ahead": float(errors[0]),
            f"error {k} steps ahead": float(errors[-1]),
            "noise": noise,
            "error of always the mean": spread,
            "weights, the oldest value's first": model.get_w_b()[0].tolist(),
        },
        tables={"error by steps ahead": error_rows(curves, k)},
        figures={
            "series": series_figure(model, data, ahead),
            "errors": error_figure(curves, noise, spread),
        },
        notes=[
            f"{data.label}: {len(data.x)} values give T − τ = {len(data.x) - tau} rows; the last "
            f"{data.num_val} are kept for the errors.",
            *NOTES,
        ],
    )


def trained(data: NoisySine, max_epochs: int, lr: float, seed: int) -> Autoregression:
    """The system of this room, fitted to the training rows."""
    with preserved_random_state():
        seed_everything(seed)
        model = Autoregression(data.tau, lr)
        trainer = Trainer(max_epochs=max_epochs, seed=seed, device="cpu", progress=False)
        trainer.fit(model, data)
    return model


def fitted_errors(tau: int, noise: float, k: int, seed: int) -> Tensor:
    """The errors of the best linear model of τ values, 1 … k steps ahead."""
    data = NoisySine(tau, noise, data_seed=seed)
    return error_by_step(*k_step(fitted(data), data.unseen, tau, k))


def error_rows(curves: dict[str, Tensor], k: int) -> list[Row]:
    """Some of the steps, a row each."""
    return [
        {"steps ahead": a, **{name: float(curve[a - 1]) for name, curve in curves.items()}}
        for a in sorted({a for a in SHOWN if a < k} | {k})
    ]
