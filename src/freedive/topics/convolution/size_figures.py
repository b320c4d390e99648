"""Pictures of windows over a row, and of how often each pixel is seen (section 7.3)."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from freedive.topics.convolution.drawing import draw_matrix, show_image, whole
from freedive.topics.convolution.sizes import Axis, span

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIRST, LAST = 8, 3  # windows that are drawn where there are many
LINE = 0.55  # from one window to the next
NUMBERED = 12  # pixels a side up to which counts are written


def row_figure(axis: Axis) -> "Figure":
    """A row of pixels between hatched padding, unseen ones red; below it a bracket each window."""
    from matplotlib.figure import Figure

    windows, cells = list(enumerate(axis.windows())), axis.cells
    many = len(windows) > FIRST + LAST + 1
    shown = [*windows[:FIRST], None, *windows[-LAST:]] if many else windows
    height = 1.6 + LINE * len(shown)
    figure = Figure(figsize=(max(5.0, 1 + 0.36 * cells), 0.6 + 0.36 * height), layout="constrained")
    axes = figure.subplots()
    padding = {(0, cell) for cell in range(cells) if not axis.is_pixel(cell)}
    unseen = {(0, axis.padding + pixel) for pixel in axis.unseen()}
    numbers = torch.arange(cells)[None] - axis.padding
    draw_matrix(axes, numbers, marked=unseen, hatched=padding, blank=padding)
    for line, entry in enumerate(shown):
        y = 1.6 + LINE * line
        if entry is None:
            axes.text(cells / 2, y, "⋮", ha="center", va="center", fontsize=12)
        else:
            draw_bracket(axes, *entry, y)
    axes.set(xlim=(-1, cells + 0.2), ylim=(height, -0.2), aspect="equal")
    axes.axis("off")
    padded = f"{axis.padding} of padding on each side"
    axes.set_title(f"{axis.n} pixels, {padded}, {axis.size} windows", fontsize=10)
    return figure


def draw_bracket(axes: "Axes", number: int, window: range, y: float) -> None:
    """A window from its first to its last cell; dots stand at the cells that it sees."""
    left, right, colour = window[0] + 0.1, window[-1] + 0.9, f"C{number % 10}"
    axes.plot([left, left, right, right], [y - 0.2, y, y, y - 0.2], color=colour, lw=1.8)
    axes.plot([cell + 0.5 for cell in window], [y] * len(window), "o", color=colour, ms=4)
    axes.text(left - 0.25, y, str(number), ha="right", va="center", fontsize=8, color=colour)


def uses_figure(axis: Axis) -> "Figure":
    """How many windows see each pixel of the square: no padding, the given one, and a full one."""
    from matplotlib.figure import Figure

    spanned = span(axis.cells, axis.kernel, axis.dilation)
    fitting = [p for p in {0, axis.padding, spanned - 1} if axis.n + 2 * p >= spanned]
    squares = [Axis(axis.n, axis.kernel, p, axis.stride, axis.dilation) for p in sorted(fitting)]
    counts = [uses(square) for square in squares]
    largest = max(float(count.max()) for count in counts)
    figure = Figure(figsize=(3.6 * len(squares), 3.8), layout="constrained")
    panels = figure.subplots(1, len(squares), squeeze=False)[0]
    for axes, square, count in zip(panels, squares, counts, strict=True):
        windows = f"{square.size}×{square.size} windows"
        title = f"padding {square.padding}: {windows}"
        show_image(axes, count, title, cmap="Blues", vmin=0, vmax=largest)
        for i, j in whole(count) if axis.n <= NUMBERED else ():
            shade = "white" if count[i, j] > 0.6 * largest else "black"
            text = axes.text(j, i, str(int(count[i, j])), color=shade, fontsize=8)
            text.set(ha="center", va="center")
    figure.suptitle("how many windows see each pixel", fontsize=10)
    return figure


def uses(square: Axis) -> Tensor:
    """The counts of a square image: those of its rows times those of its columns."""
    row = torch.tensor(square.uses())[square.padding : square.padding + square.n]
    return torch.outer(row, row)
