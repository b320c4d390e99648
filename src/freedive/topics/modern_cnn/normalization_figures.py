"""Pictures of batch and layer norm: what they average over, what they do (section 8.5)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from freedive.topics.modern_cnn.normalization_claims import normal, seen_by
from freedive.topics.modern_cnn.scratch import BatchNorm1d, BatchNorm2d, LayerNorm

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from freedive.topics.modern_cnn.normalization_study import Run

INK, ACCENT, SECOND, PALE = "#1f3b57", "#d1495b", "#2a9d8f", "#e3e8ed"
LAYERS = ("convolution 1", "convolution 2", "dense 1", "dense 2")
Around = tuple[Float[Tensor, "channels values"], Float[Tensor, "channels values"]]


def axes_figure() -> "Figure":
    """Which numbers an output depends on: found by its gradient, not drawn by hand."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 6.6), layout="constrained")
    grid = figure.subplots(2, 2)
    features, images = normal(6, 5), normal(6, 5, 3, 3)
    cases = (
        ("features, batch norm", features, BatchNorm1d(5)),
        ("features, layer norm", features, LayerNorm(5)),
        ("images, batch norm", images, BatchNorm2d(5)),
        ("images, layer norm", images, LayerNorm((5, 3, 3))),
    )
    for axes, (title, X, layer) in zip(grid.flat, cases, strict=True):
        seen = seen_by(layer.double(), X, (2, 1, 1, 1)[: X.dim()])
        draw_seen(axes, seen.reshape(*X.shape[:2], *(X.shape[2:] or (1, 1))))
        axes.set_title(title)
    figure.suptitle("✕ an output; red: the numbers that give it mean and variance")
    return figure


def draw_seen(axes: "Axes", seen: Bool[Tensor, "batch channels height width"]) -> None:
    """A tile for every channel of every example, cut into its pixels."""
    from matplotlib.patches import Rectangle

    batch, channels, height, width = seen.shape
    for n, c, i, j in torch.cartesian_prod(*map(torch.arange, seen.shape)).tolist():
        corner = (c + 0.08 + 0.84 * j / width, n + 0.08 + 0.84 * i / height)
        colour = ACCENT if seen[n, c, i, j] else PALE
        size = (0.84 / width, 0.84 / height)
        axes.add_patch(Rectangle(corner, *size, facecolor=colour, edgecolor="white", lw=0.6))
    axes.text(1.5, 2.5, "✕", ha="center", va="center", color="white", fontsize=11)
    axes.set(xlim=(0, channels), ylim=(batch, 0), aspect="equal")
    axes.set(xlabel="channels", ylabel="examples", xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set_visible(False)


def activations_figure(around: Sequence[Around], shown: int = 6) -> "Figure":
    """Histograms of some channels, in front of each batch norm and behind it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5), layout="constrained")
    grid = figure.subplots(2, len(around), sharey=True)
    for column, (name, pair) in enumerate(zip(LAYERS, around, strict=True)):
        for axes, values, where in zip(grid[:, column], pair, ("before", "after"), strict=True):
            span = (float(values[:shown].min()), float(values[:shown].max()))
            bins = min(30, max(8, values.shape[1] // 12))
            for channel, colour in zip(values[:shown], range(shown), strict=False):
                height, edges = torch.histogram(channel, bins, range=span)
                height = height / height.max()
                axes.stairs(height, edges, color=f"C{colour}", lw=1.4)
                axes.stairs(height, edges, color=f"C{colour}", fill=True, alpha=0.12)
            axes.axvline(0, color="black", lw=0.8, ls=":")
            axes.set(title=f"{name}, {where}", yticks=[])
    figure.supylabel("share of the values, a colour for each channel", fontsize=10)
    return figure


def modes_figure(
    run: "Run", company: Mapping[int, Sequence[float]], alone: float, way: Sequence[float]
) -> "Figure":
    """Training and prediction: company, moving averages, and the loss in both modes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7.2), layout="constrained")
    grid = figure.subplots(2, 2)
    draw_company(grid[0, 0], company, alone)
    draw_judged(grid[0, 1], run)
    draw_averages(grid[1, 0], run)
    draw_way(grid[1, 1], way)
    for axes in grid.flat:
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def draw_company(axes: "Axes", company: Mapping[int, Sequence[float]], alone: float) -> None:
    """One image's logit in many batches."""
    label = "training mode, a dot a batch"
    for size, logits in company.items():
        axes.plot([size] * len(logits), logits, "o", color=ACCENT, ms=4, alpha=0.35, label=label)
        label = "_"
    axes.axhline(alone, color=INK, lw=2, label="prediction, whatever the batch")
    axes.set_xscale("log", base=2)
    axes.set(title="one image in different company", xlabel="images in the batch", ylabel="logit")
    axes.set_xticks(list(company), list(map(str, company)))


def draw_judged(axes: "Axes", run: "Run") -> None:
    """The validation loss with the moving statistics and with those of the validation batch."""
    steps, prediction, training = zip(*run.judged, strict=True)
    axes.plot(steps, prediction, color=INK, lw=2, label="prediction: moving statistics")
    axes.plot(steps, training, color=ACCENT, ls="--", label="training mode: the batch's")
    axes.set(title="the same net, judged both ways", xlabel="step", ylabel="validation loss")


def draw_averages(axes: "Axes", run: "Run") -> None:
    """Means of batches, and the average that moves after them, in the channel farthest from 0."""
    batches, moving = torch.stack(run.batch_means), torch.stack(run.moving_means)
    channel = int(batches.mean(0).abs().argmax())
    axes.plot(batches[:, channel], ".", color=ACCENT, ms=5, alpha=0.6, label="μ̂ of the batch")
    axes.plot(moving[:, channel], color=INK, lw=2, label="moving mean")
    axes.set(title="one channel behind convolution 1", xlabel="step", ylabel="mean")


def draw_way(axes: "Axes", way: Sequence[float]) -> None:
    """The moving mean on its way to a mean that stands still, beside the formula."""
    momentum = way[1]
    n = torch.arange(len(way))
    axes.plot(n, way, "o", color=ACCENT, ms=4, label="measured")
    axes.plot(n, 1 - (1 - momentum) ** n, color=INK, label=f"1 − {1 - momentum:.3g}ⁿ")
    axes.set(title="if the mean stood still", xlabel="batches n", ylabel="share of the way")


def rates_figure(runs: Mapping[str, Sequence["Run"]]) -> "Figure":
    """The training losses at each learning rate, without batch norm and with it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, (name, of_rates) in zip(
        figure.subplots(1, 2, sharey=True), runs.items(), strict=True
    ):
        for run, colour in zip(of_rates, (SECOND, INK, ACCENT), strict=True):
            axes.plot(run.losses, color=colour, label=f"lr {run.model.lr:g}")
        axes.set(title=f"{name} batch norm", xlabel="step")
        axes.grid(alpha=0.3)
        axes.legend()
    first = max(run.losses[0] for of_rates in runs.values() for run in of_rates)
    figure.axes[0].set(ylabel="training loss", ylim=(0, 1.6 * first))  # a jump leaves the picture
    return figure
