"""Pictures of shifted data: what a classifier says before and after its correction (4.7)."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.topics.calculus.figures import ACCENT, INK, SECOND
from freedive.topics.distribution_shift.shifts import Sample, curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (INK, ACCENT, SECOND, "#e9a23b", "#7b5ea7", "#8a8a8a")
SHOWN = 500  # points of a cloud; more would hide each other
Rule = Callable[[Tensor], Tensor]


def scatter(axes: "Axes", sample: Sample, sizes: Tensor | None = None) -> None:
    """The first points of a sample in the colours of their labels."""
    X, y = sample.X[:SHOWN], sample.y[:SHOWN]
    for label, colour in zip(range(int(sample.y.max()) + 1), COLOURS, strict=False):
        own = y == label
        s = 9.0 if sizes is None else sizes[:SHOWN][own].numpy()
        axes.scatter(X[own, 0], X[own, 1], s=s, color=colour, alpha=0.55, lw=0)
    axes.set(xlabel="x₁", ylabel="x₂")


def frame(axes: "Axes", samples: Sequence[Sample]) -> None:
    """The same window for pictures of several samples."""
    X = torch.cat([sample.X[:SHOWN] for sample in samples])
    low, high = X.amin(dim=0) - 0.3, X.amax(dim=0) + 0.3
    axes.set(xlim=(float(low[0]), float(high[0])), ylim=(float(low[1]), float(high[1])))


def grid(axes: "Axes") -> tuple[Tensor, Tensor, Float[Tensor, "n 2"]]:
    """Points all over the window."""
    xs, ys = (torch.linspace(*ends, 160, dtype=torch.float64)
              for ends in (axes.get_xlim(), axes.get_ylim()))  # fmt: skip
    points = torch.cartesian_prod(ys, xs).flip(1)
    return xs, ys, points


def border(axes: "Axes", score: Rule, colour: str, style: str, label: str) -> None:
    """Where a classifier of two classes changes its mind."""
    xs, ys, points = grid(axes)
    axes.contour(xs, ys, score(points).reshape(len(ys), len(xs)), levels=[0.0],
                 colors=colour, linestyles=style, linewidths=2)  # fmt: skip
    axes.plot([], [], color=colour, ls=style, lw=2, label=label)


def regions(axes: "Axes", predict: Rule, num_classes: int) -> None:
    """The regions of the classes, pale."""
    xs, ys, points = grid(axes)
    levels = [label - 0.5 for label in range(num_classes + 1)]
    axes.contourf(xs, ys, predict(points).reshape(len(ys), len(xs)).double(), levels=levels,
                  colors=COLOURS[:num_classes], alpha=0.18)  # fmt: skip


def covariate_figure(
    source: Sample, target: Sample, weights: Tensor, before: Rule, after: Rule, words: Sequence[str]
) -> "Figure":
    """Training inputs, the same by their weights, and test inputs; the border before and after."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.6), layout="constrained")
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    shown: list[tuple[Sample, Tensor | None]] = [
        (source, None), (source, 6 * weights.clamp(max=20)), (target, None)
    ]  # fmt: skip
    for axes, (sample, sizes), title in zip(panels, shown, words, strict=True):
        frame(axes, [source, target])
        scatter(axes, sample, sizes)
        left, right = axes.get_xlim()
        x1 = torch.linspace(left, right, 200, dtype=torch.float64)
        axes.plot(x1, curve(x1), color="#8a8a8a", lw=1, ls=":", label="true border")
        if axes is not panels[1]:
            border(axes, before, "black", "--", "before")
        if axes is not panels[0]:
            border(axes, after, SECOND, "-", "after")
        axes.set_title(title, fontsize=10)
    handles: dict[Any, Any] = {}
    for axes in panels:
        found, labels = axes.get_legend_handles_labels()
        handles.update(zip(labels, found, strict=True))
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=3)
    return figure


def ratio_figure(exact: Tensor, learnt: Tensor, largest: float) -> "Figure":
    """Learnt weights against exact ones, and how the weights are spread."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    ends = [float(exact.min()), float(exact.max())]
    left.loglog(exact[:SHOWN], learnt[:SHOWN], ".", color=INK, ms=4, alpha=0.5, label="learnt")
    left.loglog(ends, ends, color=ACCENT, lw=1.2, label="exact")
    if float(learnt.max()) >= largest:
        left.axhline(largest, color="#8a8a8a", ls=":", label=f"largest allowed, {largest:g}")
    left.set(xlabel="exact p(x)/q(x)", ylabel="learnt β")
    share = torch.linspace(0, 1, len(learnt) + 1, dtype=torch.float64)
    heavy = learnt.sort(descending=True).values.double().cumsum(dim=0) / learnt.sum()
    right.plot(share, torch.cat([heavy.new_zeros(1), heavy]), color=INK, lw=2, label="weighted")
    right.plot([0, 1], [0, 1], color="#8a8a8a", ls=":", label="all equal")
    right.set(xlabel="share of the training examples, heaviest first", ylabel="share of the weight")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def regions_figure(
    panels: Sequence[tuple[str, Sample, Rule]], samples: Sequence[Sample], num_classes: int
) -> "Figure":
    """Points over the regions that a classifier gives to the classes, side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(panels), 4.2), layout="constrained")
    for axes, (title, sample, predict) in zip(
        figure.subplots(1, len(panels), sharex=True, sharey=True), panels, strict=True
    ):
        frame(axes, samples)
        regions(axes, predict, num_classes)
        scatter(axes, sample)
        axes.set_title(title, fontsize=10)
    return figure


def shares_figure(groups: Mapping[str, Tensor], C: Float[Tensor, "k k"]) -> "Figure":
    """Shares of the classes, true and found; beside them, the confusion matrix."""
    from matplotlib.figure import Figure

    k = len(C)
    figure = Figure(figsize=(10.5, 4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.7, 1])
    width = 0.8 / len(groups)
    for i, (name, values) in enumerate(groups.items()):
        places = torch.arange(k) + (i - (len(groups) - 1) / 2) * width
        left.bar(
            places.tolist(),
            values.tolist(),
            width,
            color=("#c3c9d1", "#e9a23b", SECOND, INK)[i],
            label=name,
        )
    left.set(xlabel="class", xticks=range(k), ylabel="share")
    left.grid(alpha=0.3, axis="y")
    left.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, 1.14), ncols=len(groups))
    right.imshow(C, cmap="Blues", vmin=0, vmax=1)
    for i in range(k):
        for j in range(k):
            shade = "white" if float(C[i, j]) > 0.5 else "black"
            right.text(j, i, f"{float(C[i, j]):.2f}", ha="center", va="center", color=shade)
    right.set(xlabel="true class", ylabel="predicted class", xticks=range(k), yticks=range(k))
    right.set_title("C: each column sums to 1", fontsize=10)
    return figure


def drift_figure(errors: Mapping[str, Tensor], concept: Sequence[float], floor: float) -> "Figure":
    """How often each learner is wrong while the concept turns; below, where the concept points."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, 5.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    for (name, values), colour in zip(errors.items(), COLOURS, strict=False):
        upper.plot(values, color=colour, lw=1.7, label=name)
    upper.axhline(floor, color="#8a8a8a", ls=":", label="noise of the labels")
    upper.set(ylabel="share of wrong answers")
    upper.set_ylim(bottom=0)
    upper.legend(fontsize=9, loc="upper left", bbox_to_anchor=(1.01, 1))
    lower.plot(concept, color=INK, lw=1.7)
    lower.set(xlabel="step", ylabel="concept, °")
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    return figure
