"""Pictures of learning loops and of regret (sections 1.3 and 4.7.4)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.topics.calculus.figures import ACCENT, INK, SECOND
from freedive.topics.distribution_shift.bandits import lowest_slope
from freedive.topics.distribution_shift.drifting import moving_average

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#8a8a8a", "#e9a23b", ACCENT, INK, SECOND)


def draw_regret(
    axes: "Axes", regrets: Mapping[str, Float[Tensor, "steps runs"]], means: Tensor, band: bool
) -> None:
    """Mean regret summed over the steps; where asked, the middle half of the runs around it."""
    for (name, regret), colour in zip(regrets.items(), COLOURS, strict=True):
        summed = regret.cumsum(dim=0)
        steps = torch.arange(1, len(summed) + 1)
        axes.plot(steps, summed.mean(dim=1), color=colour, lw=1.8, label=name)
        if band:
            low, high = torch.quantile(summed, torch.tensor([0.25, 0.75]).double(), dim=1)
            axes.fill_between(steps, low, high, color=colour, alpha=0.13, lw=0)
    axes.set(xlabel="pull", ylabel="regret so far")


def regret_figure(
    regrets: Mapping[str, Float[Tensor, "steps runs"]], means: Tensor, best: Mapping[str, Tensor]
) -> "Figure":
    """Regret of each policy, straight and over log t; below, how often it pulls a best arm."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.2), layout="constrained")
    panels = figure.subplots(1, 3)
    for axes, logarithmic in zip(panels, (False, True), strict=False):
        draw_regret(axes, regrets, means, band=not logarithmic)
        axes.set_title("middle half of the runs shaded" if not logarithmic else "over log t: a "
                       "straight line is logarithmic", fontsize=10)  # fmt: skip
    if float(means.max()) < 1 and len(means[means < means.max()]):
        t = torch.arange(1, len(next(iter(regrets.values()))) + 1)
        panels[1].plot(t, lowest_slope(means) * t.double().log(), color="black", ls=":", lw=1.2,
                       label="no policy rises slower in the long run")  # fmt: skip
    panels[1].set_xscale("log")
    for (name, share), colour in zip(best.items(), COLOURS, strict=True):
        panels[2].plot(moving_average(share, 20), color=colour, lw=1.5, label=name)
    panels[2].set(xlabel="pull", ylabel="share of runs", ylim=(0, 1.02))
    panels[2].set_title("the best arm is pulled, means of 20", fontsize=10)
    for axes in panels:
        axes.grid(alpha=0.3)
    handles, labels = panels[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6)
    return figure


def loops_figure(
    errors: Mapping[str, Mapping[str, Tensor]],
    regrets: Mapping[str, Float[Tensor, "steps runs"]],
    means: Tensor,
    temperatures: Mapping[str, list[float]],
    goal: float,
) -> "Figure":
    """The four loops: batch, online, bandit and control."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7.2), layout="constrained")
    grid = figure.subplots(2, 2)
    titles = ("batch: a concept that stays", "online: a concept that drifts")
    for axes, (kind, title) in zip(grid[0], zip(errors, titles, strict=True), strict=True):
        for (name, values), colour in zip(errors[kind].items(), (ACCENT, INK), strict=True):
            axes.plot(values, color=colour, lw=1.6, label=name)
        axes.set(xlabel="step", ylabel="share of wrong answers", ylim=(0, 0.62), title=title)
    draw_regret(grid[1, 0], regrets, means, band=False)
    grid[1, 0].set_title("bandit: only rewards are told")
    colours = ("#e9a23b", ACCENT, INK)
    for (name, readings), colour in zip(temperatures.items(), colours, strict=True):
        grid[1, 1].plot(readings, color=colour, lw=1.4, label=name)
    grid[1, 1].axhline(goal, color="black", ls=":", lw=1, label="goal")
    grid[1, 1].set(xlabel="step", ylabel="temperature, °C", title="control: the world remembers")
    for axes in grid.flat:
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return figure
