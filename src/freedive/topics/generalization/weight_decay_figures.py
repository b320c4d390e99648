"""Pictures of weight decay: losses, weights, a curve that calms down, paths of weights (3.7)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from freedive.core.figures import ACCENT, INK, SECOND
from freedive.core.random import generator
from freedive.topics.generalization.penalties import lasso, ridge
from freedive.topics.generalization.polynomial import draw, fit, predict, true_values

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GREY = "#8a8a8a"
STRENGTHS = (0.0, 1e-4, 1e-1)  # of the penalty on the curve
DEGREE = 12


def losses_figure(
    runs: Mapping[float, tuple[list[float], list[float]]], constant: float
) -> "Figure":
    """Training and validation loss by epoch, on a log axis; a panel for each λ."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(4.7 * len(runs), 3.9), layout="constrained")
    panels = figure.subplots(1, len(runs), sharey=True, squeeze=False)[0]
    for axes, (lambd, (train, val)) in zip(panels, runs.items(), strict=True):
        epochs = range(1, len(train) + 1)
        axes.semilogy(epochs, train, "o-", color=INK, ms=3, label="training")
        axes.semilogy(epochs, val, "o-", color=ACCENT, ms=3, label="validation")
        axes.axhline(constant, color=GREY, ls=":", label="always 0.05")
        axes.set(xlabel="epoch", title=f"λ = {lambd:g}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("loss, ½(ŷ − y)²")
    panels[0].legend(fontsize=9)
    return figure


def weights_figure(runs: Mapping[float, tuple[list[float], Tensor]], truth: float) -> "Figure":
    """The norm of the weights on its way, and the last weights as a histogram."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    reach = max(float(w.abs().max()) for _, w in runs.values()) or 1.0
    for (lambd, (norms, w)), colour in zip(runs.items(), (INK, ACCENT), strict=False):
        left.plot(norms, "o-", color=colour, ms=3, label=f"λ = {lambd:g}")
        right.hist(w, bins=25, range=(-reach, reach), color=colour, alpha=0.55,
                   label=f"λ = {lambd:g}")  # fmt: skip
    left.axhline(truth, color=GREY, ls=":", label="of the law")
    right.axvline(0.01, color=GREY, ls=":", label="of the law")
    left.set(xlabel="epoch", ylabel="‖w‖", ylim=(0, None))
    right.set(xlabel="a weight after training", ylabel="weights")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=9)
    return figure


def smoothness_figure(seed: int) -> "Figure":
    """One wild polynomial under growing penalties: smaller weights are a calmer curve."""
    from matplotlib.figure import Figure

    sample = draw("sine", 18, noise=0.2, seed=seed)
    x = torch.linspace(-1, 1, 401, dtype=torch.float64)
    figure = Figure(figsize=(11.5, 3.6), layout="constrained")
    for axes, lambd in zip(figure.subplots(1, 3, sharey=True), STRENGTHS, strict=True):
        weights = fit(sample, DEGREE, ridge=lambd)
        axes.plot(x, true_values("sine", x), color=GREY, ls="--", lw=1.2, label="truth")
        axes.plot(x, predict(weights, x), color=ACCENT, lw=2, label=f"degree {DEGREE}")
        axes.plot(sample.x, sample.y, "o", color=INK, ms=4, label="examples")
        axes.set_title(f"λ = {lambd:g}, ‖w‖ = {float(weights[1:].norm()):.3g}")
        axes.set(xlabel="x", ylim=(-2.2, 2.2))
        axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize=9, loc="upper left")
    return figure


def paths_figure(seed: int) -> "Figure":
    """Each weight against λ: ridge shrinks them all, lasso sets one after the other to 0."""
    from matplotlib.figure import Figure

    X = torch.randn(60, 8, generator=generator(seed, 1), dtype=torch.float64)
    truth = torch.tensor([2.0, -1.5, 1.0, 0, 0, 0, 0, 0], dtype=torch.float64)
    y = X @ truth + 0.5 * torch.randn(60, generator=generator(seed, 2), dtype=torch.float64)
    strengths = torch.logspace(-2, 0.7, 28, dtype=torch.float64).tolist()
    figure = Figure(figsize=(9.5, 3.9), layout="constrained")
    ways = {"½λ‖w‖²: ridge": ridge, "λ‖w‖₁: lasso": lambda X, y, s: lasso(X, y, s, 120)}
    for axes, (name, way) in zip(figure.subplots(1, 2, sharey=True), ways.items(), strict=True):
        path = torch.stack([way(X, y, s) for s in strengths])
        for i, weights in enumerate(path.T):
            label = {0: "weights that matter", 3: "weights that are 0 in truth"}.get(i)
            axes.semilogx(strengths, weights, color=INK if truth[i] else SECOND,
                          lw=1.6 if truth[i] else 1, label=label)  # fmt: skip
        axes.set(xlabel="λ", title=name)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("weight")
    figure.axes[1].legend(fontsize=9)
    return figure
