"""How well prices are predicted, by K-fold cross-validation (sections 3.6.3 and 5.7)."""

from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.catalog import lab
from freedive.core.hyperparameters import Bounds, Count, NonNegative, Probability, Whole
from freedive.core.random import preserved_random_state, seed_everything
from freedive.core.report import Report
from freedive.core.trainer import Trainer
from freedive.data.house_prices import HousePrices
from freedive.data.houses import Houses
from freedive.data.tables import TableData
from freedive.topics.generalization.k_fold import k_fold
from freedive.topics.mlp.house_price_figures import predictions_figure, residuals_figure
from freedive.topics.mlp.house_prices import LINEAR, HousePriceMLP, log_prices, log_rmse

TABLES: dict[str, type[TableData]] = {"houses": Houses, "house-prices": HousePrices}


@lab("house-prices", section="5.7")
def house_prices(
    data: Literal["houses", "house-prices"] = "houses",
    model: Literal["both", "mlp", "linear"] = "both",
    folds: Annotated[int, Bounds(2, whole=True)] = 5,
    num_rows: Count | None = None,
    num_hiddens: Count = 64,
    dropout: Probability = 0.2,
    weight_decay: NonNegative = 1.0,
    max_epochs: Count = 40,
    seed: Whole = 0,
) -> Report:
    """Prices of houses from a table with gaps, judged by K-fold cross-validation.

    Every house is predicted by a model that has not seen it, and that was fed by a codec which
    has not seen it either.

    Args:
        data: houses, drawn by code, or house-prices, Kaggle's.
        model: mlp, linear, or both.
        folds: K, how many parts the rows are cut into.
        num_rows: take the first rows only; None takes all.
        num_hiddens: hidden units of the MLP.
        dropout: share of them that is dropped in training.
        weight_decay: of both models.
        max_epochs: passes over the training rows.
        seed: of the folds, the first weights and the order of the rows.
    """
    table = TABLES[data](batch_size=256)
    n = min(num_rows or len(table.raw), len(table.raw))
    mlp = {"num_hiddens": num_hiddens, "dropout": dropout}
    settings: dict[str, dict[str, Any]] = {"mlp": mlp, "linear": LINEAR}
    chosen = {name: {**own, "weight_decay": weight_decay} for name, own in settings.items()
              if model in ("both", name)}  # fmt: skip
    true, predicted, rows = torch.empty(n), {name: torch.empty(n) for name in chosen}, []
    with preserved_random_state():
        for number, (train, val) in enumerate(k_fold(n, folds, seed), start=1):
            part = table.with_rows(train, val)
            row: dict[str, Any] = {"fold": number, "judged": len(val)}
            for name, arguments in chosen.items():
                true[val], predicted[name][val] = fitted(part, arguments, max_epochs, seed)
                row[f"{name} log-RMSE"] = round(log_rmse(predicted[name][val], true[val]), 4)
            rows.append(row)
    return report(table, true, predicted, rows)


def fitted(
    data: TableData, arguments: dict[str, Any], max_epochs: int, seed: int
) -> tuple[Float[Tensor, " rows"], Float[Tensor, " rows"]]:
    """The true log prices of the validation rows, and what a model says that was trained."""
    seed_everything(seed)
    model = HousePriceMLP(**data.model_arguments(), **arguments)
    trainer = Trainer(max_epochs=max_epochs, seed=seed, device="cpu", progress=False)
    trainer.fit(model, data)
    return log_prices(model, data)


def report(
    data: TableData,
    true: Float[Tensor, " rows"],
    predicted: dict[str, Float[Tensor, " rows"]],
    rows: list[dict[str, Any]],
) -> Report:
    """What the folds say together."""
    numbers: dict[str, Any] = {}
    for name, guess in predicted.items():
        errors = torch.tensor([row[f"{name} log-RMSE"] for row in rows], dtype=torch.float64)
        numbers[f"{name}: mean log-RMSE of the folds"] = float(errors.mean())
        numbers[f"{name}: spread over the folds"] = float(errors.std())
        numbers[f"{name}: log-RMSE of all rows"] = log_rmse(guess, true)
        numbers[f"{name}: median error in %"] = _median_percent(guess, true)
    numbers["every house at the mean: log-RMSE"] = log_rmse(true.mean().expand_as(true), true)
    notes = [
        f"{data.label}: {len(true):,} rows, each predicted by a model of the other folds",
        "a log-RMSE of 0.13 means that predictions are off by a factor of about e^0.13 = 1.14",
    ]
    if isinstance(data, Houses):
        numbers["noise of the law of prices"] = data.noise
        notes.append("no model can come below the noise of the law by which the prices were drawn")
    return Report(
        numbers=numbers,
        tables={f"{len(rows)} folds": rows},
        figures={
            "predictions": predictions_figure(true, predicted),
            "residuals": residuals_figure(true, predicted),
        },
        notes=notes,
    )


def _median_percent(guess: Float[Tensor, " rows"], true: Float[Tensor, " rows"]) -> float:
    """Half of the prices are predicted better than this, in per cent of the true price."""
    return float(100 * ((guess - true).double().exp() - 1).abs().median())
