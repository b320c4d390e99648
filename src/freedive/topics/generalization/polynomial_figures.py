"""Pictures of fits that are too simple, right and too wild, and of what that costs (3.6.2)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.core.figures import ACCENT, INK, SECOND
from freedive.topics.generalization.polynomial import Sample, Target, predict, true_values

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GREY = "#8a8a8a"


def capacity_figure(
    train: Float[Tensor, "degrees runs"], unseen: Float[Tensor, "degrees runs"], floor: float
) -> "Figure":
    """Both errors by degree: medians over the samples, and the middle half of them as a band."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7.5, 4.4), layout="constrained")
    axes = figure.subplots()
    degrees = torch.arange(len(train))
    quarters = torch.tensor([0.25, 0.5, 0.75], dtype=train.dtype)
    for errors, colour, label in ((train, INK, "training"), (unseen, ACCENT, "unseen examples")):
        low, middle, high = errors.clamp(min=1e-12).quantile(quarters, dim=1)
        axes.fill_between(degrees, low, high, color=colour, alpha=0.15, lw=0)
        axes.semilogy(degrees, middle, "o-", color=colour, ms=4, label=label)
        if colour == ACCENT:
            best = int(middle.argmin())
            axes.plot(best, middle[best], "o", ms=12, mfc="none", mec=ACCENT, mew=1.5)
            axes.annotate(
                f"least at degree {best}",
                (best, float(middle[best])),
                xytext=(5, 26),
                textcoords="offset points",
                color=ACCENT,
            )
    if floor:
        axes.axhline(floor, color=GREY, ls=":", label="the noise alone")
    axes.set(xlabel="degree of the polynomial", ylabel="mean squared error")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", fontsize=9)
    return figure


def fits_figure(
    target: Target, sample: Sample, fits: Mapping[int, Float[Tensor, " terms"]]
) -> "Figure":
    """One sample, and what polynomials of several degrees make of it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(fits), 3.6), layout="constrained")
    panels = figure.subplots(1, len(fits), sharey=True, squeeze=False)[0]
    x = torch.linspace(-1, 1, 401, dtype=torch.float64)
    truth = true_values(target, x)
    margin = 0.5 * float(truth.max() - truth.min())
    for axes, (degree, weights) in zip(panels, fits.items(), strict=True):
        axes.plot(x, truth, color=GREY, ls="--", lw=1.2, label="truth")
        axes.plot(x, predict(weights, x), color=ACCENT, lw=2, label="fit")
        axes.plot(sample.x, sample.y, "o", color=INK, ms=4, label="examples")
        axes.set(xlabel="x", title=f"degree {degree}")
        axes.set_ylim(float(truth.min()) - margin, float(truth.max()) + margin)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("y")
    panels[0].legend(fontsize=9)
    return figure


def sizes_figure(by_size: Mapping[int, Mapping[int, float]], floor: float) -> "Figure":
    """The error on unseen examples by how many were learnt from, a line a degree."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for (degree, errors), colour in zip(by_size.items(), (INK, SECOND, ACCENT), strict=False):
        axes.loglog(
            list(errors), list(errors.values()), "o-", color=colour, ms=4, label=f"degree {degree}"
        )
    if floor:
        axes.axhline(floor, color=GREY, ls=":", label="the noise alone")
    axes.set(xlabel="examples to learn from", ylabel="mean squared error on unseen examples")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9)
    return figure
