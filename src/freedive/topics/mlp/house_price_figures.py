"""Pictures of predicted prices: against the true ones, and what is left of them (section 5.7)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from torch import Tensor

from freedive.core.figures import ACCENT, INK, SECOND

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REACH = 0.75  # largest residual that is drawn where it lies
MODEL_COLOURS = (INK, SECOND)


def predictions_figure(
    true: Float[Tensor, " rows"], predicted: Mapping[str, Float[Tensor, " rows"]]
) -> "Figure":
    """Predicted against true prices, a panel a model; a perfect model lies on the diagonal.

    Args:
        true: log prices.
        predicted: of each model by name, log prices too.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * len(predicted) + 0.4, 4.6), layout="constrained")
    panels = figure.subplots(1, len(predicted), squeeze=False, sharey=True)[0]
    everything = np.concatenate([true.numpy(), *(p.numpy() for p in predicted.values())])
    ends = np.exp([everything.min() - 0.1, everything.max() + 0.1])
    for axes, (name, guess), colour in zip(panels, predicted.items(), MODEL_COLOURS, strict=False):
        axes.plot(ends, ends, color=ACCENT, lw=1.2, zorder=3, label="predicted = true")
        axes.loglog(true.double().exp(), guess.double().exp(), ".", color=colour, ms=4,
                    alpha=0.45)  # fmt: skip
        axes.set(xlabel="true price", xlim=ends, ylim=ends, aspect="equal", title=name)
        _price_ticks(axes.xaxis, ends)
        _price_ticks(axes.yaxis, ends)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("predicted price")
    panels[0].legend(loc="upper left")
    return figure


def residuals_figure(
    true: Float[Tensor, " rows"], predicted: Mapping[str, Float[Tensor, " rows"]]
) -> "Figure":
    """log ŷ − log y against the predicted price, and how often each size of it occurs.

    Errors of more than `REACH` are drawn at the edge, as triangles.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.5, 1], sharey=True)
    bins = np.linspace(-REACH, REACH, 61)
    everything = np.concatenate([p.numpy() for p in predicted.values()])
    for (name, guess), colour in zip(predicted.items(), MODEL_COLOURS, strict=False):
        residuals = (guess - true).double().numpy()
        inside, prices = np.abs(residuals) <= REACH, np.exp(guess.double().numpy())
        left.plot(prices[inside], residuals[inside], ".", color=colour, ms=4, alpha=0.4)
        for sign, marker in ((1, "^"), (-1, "v")):
            outside = prices[sign * residuals > REACH]
            left.plot(outside, np.full(len(outside), sign * REACH), marker, color=colour, ms=6)
        rmse = float(np.sqrt((residuals**2).mean()))
        label = f"{name}: log-RMSE {rmse:.3f}" if name else f"log-RMSE {rmse:.3f}"
        right.hist(residuals.clip(-REACH, REACH), bins, orientation="horizontal",
                   histtype="step", color=colour, lw=1.6, label=label)  # fmt: skip
    left.set(xscale="log", xlabel="predicted price", ylabel="log ŷ − log y",
             ylim=(-1.08 * REACH, 1.08 * REACH))  # fmt: skip
    _price_ticks(left.xaxis, np.exp([everything.min(), everything.max()]))
    right.set(xlabel="houses")
    right.legend(loc="upper right")
    for axes in (left, right):
        axes.axhline(0, color=ACCENT, lw=1.2)
        axes.grid(alpha=0.3)
    return figure


def _price_ticks(axis: object, ends: np.ndarray) -> None:
    """Round prices as the labels of a logarithmic axis: 1, 2 and 5 times powers of ten."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    powers = range(int(np.floor(np.log10(ends[0]))), int(np.ceil(np.log10(ends[1]))) + 1)
    ticks = [m * 10.0**p for p in powers for m in (1, 2, 5)]
    shown = [tick for tick in ticks if ends[0] <= tick <= ends[1]]
    axis.set_major_locator(FixedLocator(shown))  # type: ignore[attr-defined]
    axis.set_minor_locator(NullLocator())  # type: ignore[attr-defined]
    axis.set_major_formatter(FuncFormatter(_price_text))  # type: ignore[attr-defined]


def _price_text(price: float, _: int) -> str:
    """A price in thousands or millions, as a tick has room for."""
    if price >= 1e6:
        return f"{price / 1e6:g} M"
    return f"{price / 1e3:g} k" if price >= 1e3 else f"{price:g}"
