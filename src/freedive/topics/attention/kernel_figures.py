"""Pictures of kernels, of what they estimate, of a learnt width, and of pooling (11.1, 11.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.topics.attention.kernels import KERNELS, epanechnikov, triangular
from freedive.topics.attention.parametric import Learning
from freedive.topics.calculus.figures import ACCENT, INK, SECOND

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREY = "#8a8a8a"
REACH = 2.5  # the kernels are drawn from −REACH to REACH


@dataclass(frozen=True)
class Scene:
    """What is to be estimated, and where.

    Attributes:
        keys: where something was measured, in order.
        values: what was measured.
        queries: where to estimate, in order.
        truth: what is right there.
    """

    keys: Float[Tensor, " m"]
    values: Float[Tensor, " m"]
    queries: Float[Tensor, " n"]
    truth: Float[Tensor, " n"]


@dataclass(frozen=True)
class Fit:
    """Estimates at a scene's queries, and the weights they are made of."""

    estimate: Float[Tensor, " n"]
    weights: Float[Tensor, "n m"]

    @property
    def empty(self) -> Tensor:
        """The queries that no key is near enough to."""
        return ~self.weights.any(dim=1)


def kernels_figure() -> "Figure":
    """Each kernel by the distance over its width."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 2.7), layout="constrained")
    panels = figure.subplots(1, len(KERNELS), sharey=True)
    u = torch.linspace(-REACH, REACH, 1001, dtype=torch.float64)
    for axes, (name, kernel) in zip(panels, KERNELS.items(), strict=True):
        axes.plot(u, kernel(u), color=INK, lw=2)
        axes.set_title(name, fontsize=10)
        axes.set(xlabel="u = (q − k)/σ", ylim=(-0.05, 1.1))
        axes.grid(alpha=0.3)
        if kernel is epanechnikov:
            axes.plot(u, triangular(u), color=GREY, ls=":", label="triangular")
            axes.legend(fontsize=8, loc="upper right")
    panels[0].set_ylabel("kernel")
    return figure


def fits_figure(scene: Scene, fits: Mapping[str, Fit]) -> "Figure":
    """Each fit with data and truth; below, its weights: a row for each query."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(0.6 + 2.75 * len(fits), 5.6), layout="constrained")
    above, below = figure.subplots(
        2, len(fits), squeeze=False, sharey="row", height_ratios=(1, 1.1)
    )
    for axes, beneath, (title, fit) in zip(above, below, fits.items(), strict=True):
        draw_fit(axes, scene, fit)
        axes.set_title(title, fontsize=10)
        draw_weights(beneath, scene, fit.weights)
    above[0].set(ylabel="value", ylim=span(torch.cat([scene.values, scene.truth])))
    below[0].set_ylabel("query")
    handles, labels = above[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=9, frameon=False)
    return figure


def draw_fit(axes: "Axes", scene: Scene, fit: Fit) -> None:
    """The estimates as a line that is broken where there is nothing to attend to."""
    shown = fit.estimate.where(~fit.empty, torch.nan)
    axes.plot(scene.keys, scene.values, "o", color=GREY, ms=3, alpha=0.6, label="measured")
    axes.plot(scene.queries, scene.truth, color=INK, lw=1.2, ls="--", label="truth")
    axes.plot(scene.queries, shown, ".-", color=ACCENT, lw=2, ms=2, label="estimate")
    axes.set(xlabel="query")
    axes.grid(alpha=0.3)


def draw_weights(axes: "Axes", scene: Scene, weights: Float[Tensor, "n m"]) -> None:
    """White is 0; each matrix has its own scale, which is written below it."""
    m = weights.shape[1]
    first, last = float(scene.queries[0]), float(scene.queries[-1])
    extent = (0.5, m + 0.5, last, first)
    darkest = float(weights.max())
    axes.imshow(weights.numpy(), extent=extent, aspect="auto", interpolation="nearest",
                cmap="Blues", vmin=0, vmax=darkest or 1.0)  # fmt: skip
    axes.set(xlabel=f"key, in order\ndarkest: weight {darkest:.2g}")
    axes.locator_params(axis="x", integer=True, nbins=5)


def span(numbers: Tensor) -> tuple[float, float]:
    """The range of an axis that shows them all with a margin."""
    low, high = float(numbers.min()), float(numbers.max())
    margin = 0.08 * (high - low) or 1.0
    return low - margin, high + margin


@dataclass(frozen=True)
class Landscape:
    """Both errors over a grid of widths."""

    widths: Float[Tensor, " w"]
    left_out: Float[Tensor, " w"]
    training: Float[Tensor, " w"]


def learning_figure(landscape: Landscape, left_out: Learning, training: Learning) -> "Figure":
    """Width and error by step, with each point left out and with none; the errors by width."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4), layout="constrained")
    by_step, errors, ground = figure.subplots(1, 3)
    looks = (
        ("each point left out", left_out, landscape.left_out, INK, "-"),
        ("none left out", training, landscape.training, ACCENT, "--"),
    )
    for label, learnt, over, colour, style in looks:
        by_step.plot(learnt.widths, style, color=colour, lw=2, label=label)
        errors.plot(learnt.losses, style, color=colour, lw=2, label=label)
        ground.plot(landscape.widths, over, style, color=colour, lw=1.5, label=label)
        every = max(1, len(learnt.widths) // 25)
        ground.plot(learnt.widths[::every], learnt.losses[::every], ".", color=colour, ms=6)
        ground.plot(learnt.widths[-1], learnt.losses[-1], "*", color=colour, ms=14)
    by_step.set(xlabel="step", ylabel="width σ", yscale="log", title="the width")
    errors.set(xlabel="step", ylabel="mean squared error", title="the error that it is learnt by")
    ground.set(xlabel="width σ", ylabel="mean squared error", xscale="log")
    ground.set_title("the error at every width; dots: steps, star: the last")
    for axes in (by_step, errors):
        axes.locator_params(axis="x", integer=True)
    for axes in (by_step, errors, ground):
        axes.title.set_fontsize(10)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return figure


def pooling_figure(
    kinds: Mapping[str, Float[Tensor, "n m"]],
    values: Float[Tensor, "m 2"],
    path: Float[Tensor, "widths 2"],
) -> "Figure":
    """Weights of three kinds of pooling; and the way from a key's own value to the mean of all."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 3.4), layout="constrained")
    ratios = [1.0] * len(kinds) + [1.3]
    *matrices, plane = figure.subplots(1, len(kinds) + 1, width_ratios=ratios)
    for axes, (title, weights) in zip(matrices, kinds.items(), strict=True):
        image = axes.imshow(weights.numpy(), cmap="Blues", vmin=0, vmax=1)
        axes.set_title(title, fontsize=10)
        axes.set(xlabel="key")
        axes.locator_params(integer=True)
    matrices[0].set_ylabel("query")
    figure.colorbar(image, ax=matrices, label="weight", shrink=0.8, pad=0.02)
    corners = hull(values)
    plane.fill(*corners.T, facecolor="#d6e0ea", edgecolor=INK, lw=0.8, alpha=0.6, zorder=0)
    plane.plot(*values.T, "o", color=INK, ms=6, label="values")
    plane.plot(*path.T, color=ACCENT, lw=2, label="pooled, from\nsmall σ to large")
    plane.plot(*path[0], "o", color=ACCENT, ms=11, mfc="none", mew=2, label="exact match")
    plane.plot(*values.mean(dim=0), "*", color=SECOND, ms=14, label="mean of all")
    plane.set_title("what is pooled stays between the values", fontsize=10)
    plane.set(xlabel="v₁", ylabel="v₂", xlim=span(values[:, 0]), ylim=span(values[:, 1]))
    plane.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
    return figure


def hull(points: Float[Tensor, "m 2"]) -> Float[Tensor, "corners 2"]:
    """The corners of the convex hull, counterclockwise (Andrew's monotone chain)."""
    ordered = sorted({(float(x), float(y)) for x, y in points})
    if len(ordered) < 3:
        return torch.tensor(ordered, dtype=points.dtype)
    halves = []
    for run in (ordered, ordered[::-1]):
        chain: list[tuple[float, float]] = []
        for p in run:
            while len(chain) > 1 and turn(chain[-2], chain[-1], p) <= 0:
                chain.pop()
            chain.append(p)
        halves += chain[:-1]
    return torch.tensor(halves, dtype=points.dtype)


def turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    """Above 0 where the way from a over b to c turns left."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
