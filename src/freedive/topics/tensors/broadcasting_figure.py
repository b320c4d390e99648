"""The picture of a broadcast: what is there, what it is stretched to, and the result (2.1.4)."""

from collections.abc import Set
from typing import TYPE_CHECKING

from jaxtyping import Shaped
from torch import Tensor

from freedive.core.figures import ACCENT, INK, SECOND
from freedive.topics.tensors.broadcasting import is_stored, stretched, written
from freedive.topics.tensors.drawing import NONE, Place, draw_matrix, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AnyTensor = Shaped[Tensor, "..."]
GAP = 2.2  # between two arrays, in cells


def broadcast_figure(a: AnyTensor, b: AnyTensor, result: AnyTensor, sign: str) -> "Figure":
    """Above, the two arrays as they are; below, stretched, their repetitions hatched."""
    from matplotlib.figure import Figure

    shape = result.shape
    depth, height, width = (1,) * (3 - len(shape)) + tuple(shape)
    slices = depth * (height + 0.6) - 0.6
    across, down = 3 * width + 2 * GAP + 1, slices + 1.2
    tall = max(rows_of(a), rows_of(b)) + 1.2
    scale = min(0.5, 13 / across, 12 / (down + tall))
    figure = Figure(figsize=(scale * across + 0.4, scale * (down + tall) + 0.9),
                    layout="constrained")  # fmt: skip
    above, below = figure.subplots(2, 1, height_ratios=(tall, down))
    places = [0.0, width + GAP, 2 * (width + GAP)]
    for x, left, colour, name in zip((a, b), places[:2], (INK, ACCENT), "ab", strict=True):
        draw_array(above, x, left, colour, title=f"{name}: {written(x.shape)}")
        draw_array(below, stretched(x, shape), left, colour, is_stored(x, shape))
    draw_array(below, result, places[2], SECOND, title=f"result: {written(shape)}")
    for text, at in zip((sign, "="), places[1:], strict=True):
        below.text(at - GAP / 2, slices / 2, text, ha="center", va="center", fontsize=14)
    above.set_title("as they are", fontsize=10, loc="left", color="#555555")
    below.set_title("as they are used: hatched entries are no memory, the coloured ones again",
                    fontsize=10, loc="left", color="#555555")  # fmt: skip
    for axes, bottom in ((above, tall - 1.2), (below, slices)):
        axes.set(xlim=(-0.2, across - 0.8), ylim=(bottom + 0.1, -1.05), aspect="equal")
        axes.axis("off")
    return figure


def rows_of(X: AnyTensor) -> float:
    """How many cells high an array is drawn: the slices of a third axis stand below each other."""
    depth, height, _ = (1,) * (3 - X.dim()) + tuple(X.shape)
    return depth * (height + 0.6) - 0.6


def draw_array(
    axes: "Axes",
    X: AnyTensor,
    left: float,
    colour: str,
    stored: AnyTensor | None = None,
    title: str = "",
) -> None:
    """An array of up to three axes as squares, the slices of its first below each other."""
    slices = X.reshape((1,) * (3 - X.dim()) + tuple(X.shape))
    masks = None if stored is None else stored.reshape(slices.shape)
    for k, M in enumerate(slices):
        own = whole(M) if masks is None else true_places(masks[k])
        copies: Set[Place] = whole(M) - own if masks is not None else NONE
        at = (left, k * (M.shape[0] + 0.6))
        draw_matrix(axes, M, at, marked=own, colour=colour, hatched=copies)
    if title:
        axes.text(left, -0.35, title, fontsize=9.5, color=colour, ha="left", va="bottom")


def true_places(mask: AnyTensor) -> Set[Place]:
    """The places of a matrix that are True."""
    return {(i, j) for i, j in whole(mask) if mask[i, j]}
