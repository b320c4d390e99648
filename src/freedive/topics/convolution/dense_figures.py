"""Pictures of a layer's weights, of their number, and of an image that moves (section 7.1)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from freedive.topics.calculus.figures import ACCENT, INK, SECOND
from freedive.topics.convolution.drawing import show_image, show_signed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = (INK, SECOND, ACCENT)


def weights_figure(weights: Mapping[str, Tensor]) -> "Figure":
    """W of each layer, a row for each output pixel; below, two of its rows as images."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5.6), layout="constrained")
    grid = figure.add_gridspec(2, 2 * len(weights), height_ratios=(2, 1.05))
    for column, (name, W) in enumerate(weights.items()):
        n = len(W)
        matrix = figure.add_subplot(grid[0, 2 * column : 2 * column + 2])
        title = f"{name}: W of {n**2} × {n**2}, {len(W[W != 0].unique())} different weights"
        show_signed(matrix, W.reshape(n**2, n**2), title, reach=2.5)
        matrix.set(xlabel="pixel" if column == 0 else "", ylabel="output" if column == 0 else "")
        for half, place in enumerate((n // 3, 2 * n // 3)):
            axes = figure.add_subplot(grid[1, 2 * column + half])
            show_signed(axes, W[place, place], f"for output ({place}, {place})", reach=2.5)
    return figure


def counts_figure(names: Sequence[str], counts: Mapping[int, Sequence[int]]) -> "Figure":
    """How many weights the layers have, on a logarithmic axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4), layout="constrained")
    panels = figure.subplots(1, len(counts))
    for axes, (n, numbers) in zip(panels, counts.items(), strict=True):
        bars = axes.bar(names, numbers, color=COLOURS)
        axes.bar_label(bars, [f"{number:,}" for number in numbers], fontsize=8)
        axes.set(yscale="log", ylim=(1, 20 * max(numbers)), ylabel="weights")
        axes.set_title(f"images of {n} × {n}", fontsize=10)
        axes.grid(axis="y", alpha=0.3)
    return figure


def shift_figure(
    X: Tensor, moved: Tensor, outputs: Mapping[str, tuple[Tensor, Tensor]]
) -> "Figure":
    """An image and its outputs; below, the same for the moved image."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.6 * (1 + len(outputs)), 5.4), layout="constrained")
    above, below = figure.subplots(2, 1 + len(outputs))
    show_image(above[0], X, "image")
    show_image(below[0], moved, "moved image")
    for column, (name, (before, after)) in enumerate(outputs.items(), start=1):
        reach = float(before.abs().max())
        show_signed(above[column], before, f"output, {name}", reach)
        show_signed(below[column], after, "output of the moved image", reach)
    return figure
