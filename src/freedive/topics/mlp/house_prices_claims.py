"""What predicting prices from a table with gaps rests on, as checks (section 5.7).

The book only names its competition and shows no step. What is checked here is what its exercises
build on: relative errors, nothing learnt from rows that judge, and prices in the file.
"""

import csv
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from freedive.catalog import claim, erratum
from freedive.data.houses import Houses
from freedive.data.submission import submission_text
from freedive.data.tabular import TableCodec
from freedive.topics.mlp.house_prices import HousePriceMLP, log_rmse

Evidence = Iterator[tuple[Any, ...]]


@claim("5.7", "a log error counts relative errors, up and down alike", "002a SYS30")
def relative_errors() -> Evidence:
    """A factor c too much or too little costs |log c|, for a hut and for a mansion."""
    prices = torch.tensor([40_000.0, 200_000.0, 750_000.0], dtype=torch.float64)
    for factor in (1.1, 2.0):
        for wrong in (prices * factor, prices / factor):
            yield log_rmse(wrong.log(), prices.log()), math.log(factor), 1e-12
    for price in prices.split(1):  # while the same amount is much for one and little for another
        yield (
            log_rmse((price + 20_000).log(), price.log()),
            math.log1p(20_000 / float(price)),
            1e-12,
        )


@claim(
    "5.7",
    "hidden units find the products of columns that no linear model of the table has",
    "002a SYS30",
)
def hidden_units_help() -> Evidence:
    """Held-out log-RMSE on drawn houses, of equal training; neither comes below the noise."""
    data = Houses(num_train=600, num_val=300)
    errors = [_trained_error(data, num_hiddens) for num_hiddens in (0, 64)]
    yield errors[0], (0.12, 0.18)
    yield errors[1] / errors[0], (0.6, 0.95)
    yield errors[1], (data.noise, 0.14)


@erratum(
    "5.7",
    "means and spreads come from the training rows, so that no other row changes a feature",
    printed="numbers are standardised over training and test rows together",
    source=("REGRESSIONS R30", "002a E59"),
)
def fitted_on_training_rows() -> Evidence:
    """One absurd row among those that judge: how far the training rows' features move."""
    import pandas as pd

    data = Houses(num_train=100, num_val=20)
    train, val = data.part(train=True), data.part(train=False).copy()
    val.iloc[0, val.columns.get_loc("LivingArea")] = 1e6
    together = pd.concat([train, val])
    printed = TableCodec.learnt(together, data.target, data.kinds)
    before = TableCodec.learnt(pd.concat([train, data.part(train=False)]), data.target, data.kinds)
    at = data.codec.features.index("LivingArea")
    moved = (printed.encode(train)[:, at] - before.encode(train)[:, at]).abs().max()
    yield float(moved), (0.1, math.inf)
    strange = data.with_rows(*data.rows)
    strange.raw = together
    yield strange.splits[0][0], data.splits[0][0], 0.0


@erratum(
    "5.7",
    "a submission holds exp ŷ of a model of log prices, and its score is that of the file",
    printed="the exponential is taken of another quantity than the predicted log price",
    source="REGRESSIONS R30",
)
def exponential_of_what_was_learnt() -> Evidence:
    """The score from the written file against that of the outputs; exp(ŷ) − 1 and ŷ are others."""
    data = Houses(num_train=100, num_val=50)
    y = data.splits[1][1][:, 0].double()
    outputs = y + 0.1 * torch.sin(torch.arange(50.0))
    ids = [str(i) for i in range(50)]

    def score(prices: Tensor) -> float:
        text = submission_text("Id", data.target, ids, prices.tolist())
        rows = list(csv.reader(text.splitlines()))[1:]
        return log_rmse(torch.tensor([float(price) for _, price in rows]).log(), y)

    yield score(data.codec.decoded(outputs)), log_rmse(outputs, y), 1e-6
    yield score(outputs), (5.0, 20.0)
    yield score((outputs - data.codec.target_mean).exp()), (5.0, 20.0)


def _trained_error(data: Houses, num_hiddens: int, steps: int = 80) -> float:
    """The held-out log-RMSE after so many steps on all training rows at once."""
    (X, y), (X_val, y_val) = data.splits
    torch.manual_seed(0)
    model = HousePriceMLP(**data.model_arguments(), num_hiddens=num_hiddens)
    optim = torch.optim.AdamW(model.parameters(), lr=0.02, weight_decay=0.3)
    for _ in range(steps):
        optim.zero_grad()
        model.loss(model(X), y).backward()
        optim.step()
    model.eval()
    with torch.no_grad():
        return log_rmse(model(X_val)[:, 0], y_val[:, 0])
