"""Pictures of attention's steps, of softmaxes that saturate, of rows that see nothing (11.3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from freedive.topics.calculus.figures import ACCENT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HIDDEN = "#d9d9d9"  # what may not be seen
MOST_WRITTEN = 7  # columns of a matrix that has its numbers written in


@dataclass(frozen=True)
class Steps:
    """All that comes between queries and outputs, for each example.

    Attributes:
        scores: of each query for each key.
        mask: true where a query may see a key.
        weights: the softmax over what may be seen.
        values: what the weights take means of.
        outputs: the means.
    """

    scores: Float[Tensor, "examples queries keys"]
    mask: Bool[Tensor, "examples queries keys"]
    weights: Float[Tensor, "examples queries keys"]
    values: Float[Tensor, "examples keys v"]
    outputs: Float[Tensor, "examples queries v"]


def steps_figure(steps: Steps, names: list[str]) -> "Figure":
    """A row for each example: scores, what is left of them, weights, values, and outputs."""
    from matplotlib.figure import Figure

    n, queries, keys = steps.scores.shape
    widths = [keys, keys, keys, steps.values.shape[-1], steps.outputs.shape[-1]]
    size = (3.2 + 0.5 * sum(widths), n * (0.9 + 0.4 * max(queries, keys)) + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(n, 5, squeeze=False, width_ratios=widths)
    reach = float(steps.scores.abs().max()) or 1.0
    far = float(steps.values.abs().max()) or 1.0
    for i, (row, name) in enumerate(zip(grid, names, strict=True)):
        left = steps.scores[i].where(steps.mask[i], torch.nan)
        tiles(row[0], steps.scores[i], "RdBu_r", (-reach, reach))
        tiles(row[1], left, "RdBu_r", (-reach, reach))
        tiles(row[2], steps.weights[i], "Blues", (0.0, 1.0))
        tiles(row[3], steps.values[i], "PuOr", (-far, far))
        tiles(row[4], steps.outputs[i], "PuOr", (-far, far))
        row[0].set_ylabel(f"{name}\nquery")
        row[3].set_ylabel("key")
        for axes in row[:3]:
            axes.set_xlabel("key")
    titles = ("scores", "masked", "softmax", "values", "outputs")
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, fontsize=10)
    return figure


def tiles(
    axes: "Axes", matrix: Float[Tensor, "rows columns"], cmap: str, reach: tuple[float, float]
) -> None:
    """A matrix as coloured squares, with its numbers where there is room; NaN is grey."""
    import matplotlib

    colours = matplotlib.colormaps[cmap].with_extremes(bad=HIDDEN)
    axes.imshow(matrix, cmap=colours, vmin=reach[0], vmax=reach[1], aspect="equal")
    rows, columns = matrix.shape
    number(axes.set_xticks, columns)
    number(axes.set_yticks, rows)
    axes.tick_params(length=0, labelsize=8)
    if columns > MOST_WRITTEN or rows > MOST_WRITTEN:
        return
    middle, half = sum(reach) / 2, (reach[1] - reach[0]) / 2
    for i, row in enumerate(matrix.tolist()):
        for j, value in enumerate(row):
            strong = (
                (value - reach[0]) / (2 * half) if cmap == "Blues" else abs(value - middle) / half
            )
            colour = "white" if strong > 0.65 else "black"
            if value == value:
                axes.text(j, i, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=7)


def number(set_ticks: Any, count: int) -> None:
    """Ticks from 1, at most ten of them."""
    places = range(0, count, -(-count // 10))
    set_ticks(places, [str(place + 1) for place in places])


@dataclass(frozen=True)
class Saturation:
    """Means over many queries, by the size of queries and keys."""

    sizes: list[int]
    largest: Mapping[str, list[float]]  # by way of scaling
    slopes: Mapping[str, list[float]]
    ordered: Mapping[str, Float[Tensor, " keys"]]  # weights at the last size, the largest first


def saturation_figure(found: Saturation) -> "Figure":
    """The largest weight, the softmax's slopes, and weights in order, with and without 1/√d."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    looks = zip(found.largest, ((INK, "o-"), (ACCENT, "s--")), strict=True)
    for place, (name, (colour, style)) in enumerate(looks):
        left.plot(found.sizes, found.largest[name], style, color=colour, label=name)
        middle.plot(found.sizes, found.slopes[name], style, color=colour, label=name)
        ordered = found.ordered[name]
        at = torch.arange(1, len(ordered) + 1) + 0.4 * place - 0.2
        right.bar(at, ordered, 0.4, color=colour, label=name)
    left.set(
        xlabel="size d of queries and keys", ylabel="mean of the largest weight", ylim=(0, 1.05)
    )
    middle.set(xlabel="size d of queries and keys", ylabel="Σ |∂α / ∂a|", yscale="log")
    right.set(xlabel=f"keys at d = {found.sizes[-1]}, by weight", ylabel="mean weight")
    for axes in (left, middle):
        axes.set_xscale("log", base=2)
        axes.set_xticks(found.sizes, [str(size) for size in found.sizes], fontsize=8)
        axes.minorticks_off()
    for axes in (left, middle, right):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return figure


def masked_figure(kinds: Mapping[str, Float[Tensor, "lengths keys"]]) -> "Figure":
    """The weights of one query by how many keys it may see, from none to all."""
    from matplotlib.figure import Figure

    rows, keys = next(iter(kinds.values())).shape
    size = (1.5 + len(kinds) * (0.9 + 0.5 * keys), 1.2 + 0.42 * rows)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(kinds))
    for axes, (title, weights) in zip(panels, kinds.items(), strict=True):
        tiles(axes, weights, "Blues", (0.0, 1.0))
        axes.set_title(title, fontsize=10)
        axes.set_yticks(range(rows), [str(length) for length in range(rows)])
        axes.set(xlabel="key", ylabel="valid length")
    return figure
