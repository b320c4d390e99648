"""Pictures of convolution and pooling, step by step (sections 7.2 to 7.5)."""

from itertools import islice
from typing import TYPE_CHECKING

from freedive.topics.calculus.figures import INK, SECOND
from freedive.topics.convolution.drawing import NONE, draw_matrix, rim, whole
from freedive.topics.convolution.operations import Example, Step

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DRAWN = 6  # steps
CELL = 0.36  # inches


def steps_figure(example: Example) -> "Figure":
    """The first steps, one a panel: the window over the image, the kernel, the number it gives."""
    from matplotlib.figure import Figure

    steps = list(islice(example.steps(), DRAWN))
    X, Y, kernel = example.padded, example.output(), steps[0].kernel
    height, width = X.shape[1], len(X) * (X.shape[2] + 0.4) + Y.shape[2] + 0.8
    if kernel is not None:
        width += len(kernel) * (kernel.shape[2] + 1)
    ncols = 2 if len(steps) > 1 and width < 25 else 1
    nrows = -(-len(steps) // ncols)
    size = (CELL * (width + 1) * ncols, (CELL * height + 0.5) * nrows)
    figure = Figure(figsize=size, layout="constrained")
    for number, axes in enumerate(figure.subplots(nrows, ncols, squeeze=False).flat):
        axes.axis("off")
        if number < len(steps):
            draw_step(axes, example, steps, number)
    return figure


def draw_step(axes: "Axes", example: Example, steps: list[Step], number: int) -> None:
    """One step: image channels, kernel channels, and the output as far as it is known."""
    step, X, Y = steps[number], example.padded, example.output()
    o, i, j = step.place
    side, left = step.window.shape[-1], 0.0
    top, start = i * example.stride, j * example.stride
    reach = range(0, side * example.dilation, example.dilation)
    seen = {(top + a, start + b) for a in reach for b in reach}
    alone = example.pools or example.groups > 1  # an output channel sees one channel only
    for c, channel in enumerate(X):
        marked = seen if not alone or c == o else NONE
        draw_matrix(axes, channel, (left, 0), marked, hatched=rim(channel, example.padding))
        left += X.shape[2] + 0.4
    for c, kernel in enumerate(step.kernel if step.kernel is not None else ()):
        sign(axes, "+" if c else "∗", left, X.shape[1])
        draw_matrix(axes, kernel, (left + 0.6, (X.shape[1] - side) / 2), whole(kernel), INK)
        left += side + 1.0
    sign(axes, "=", left, X.shape[1])
    known = {before.place[1:] for before in steps[: number + 1] if before.place[0] == o}
    blank = whole(Y[o]) - known
    at = (left + 0.6, (X.shape[1] - Y.shape[1]) / 2)
    draw_matrix(axes, Y[o], at, {(i, j)}, SECOND, blank=blank)
    axes.set(xlim=(-0.1, left + Y.shape[2] + 0.7), ylim=(X.shape[1] + 0.1, -0.1), aspect="equal")
    axes.set_title(example.sum_of(step), fontsize=9)


def sign(axes: "Axes", text: str, left: float, height: int) -> None:
    """An operator between two matrices."""
    axes.text(left + 0.1, height / 2, text, ha="center", va="center", fontsize=14)
