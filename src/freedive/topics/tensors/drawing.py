"""Matrices drawn as squares with numbers in them, with places marked."""

from collections import defaultdict
from collections.abc import Set
from typing import TYPE_CHECKING

from torch import Tensor

from freedive.core.figures import ACCENT, INK, SECOND

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Place = tuple[int, int]  # row and column
NONE: Set[Place] = frozenset()
PALE = {INK: "#d6e0ea", ACCENT: "#f6d5da", SECOND: "#cfeae6"}


def draw_matrix(
    axes: "Axes",
    M: Tensor,
    at: tuple[float, float] = (0, 0),
    marked: Set[Place] = NONE,
    colour: str = ACCENT,
    hatched: Set[Place] = NONE,
    blank: Set[Place] = NONE,
) -> None:
    """A matrix as squares with its numbers; y grows downwards.

    Args:
        axes: where to.
        M: its numbers, the padding's as well.
        at: its upper left corner.
        marked: places that are coloured.
        colour: the colour's full tone.
        hatched: places that are no pixels.
        blank: places without a number.
    """
    from matplotlib.collections import PolyCollection

    left, top = at
    squares: dict[tuple[bool, bool], list[list[tuple[float, float]]]] = defaultdict(list)
    for i, j in sorted(whole(M)):
        x, y = left + j, top + i
        pixel = (i, j) not in hatched
        corners = [(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)]
        squares[(i, j) in marked, pixel].append(corners)
        if (i, j) not in blank:
            shade = "black" if pixel else "#8a8a8a"
            text = axes.text(x + 0.5, y + 0.52, short(float(M[i, j])), color=shade)
            text.set(ha="center", va="center", fontsize=9, in_layout=False)
    for (is_marked, pixel), corners_of in squares.items():
        face = PALE[colour] if is_marked else "white" if pixel else "#f2f2f2"
        tiles = PolyCollection(corners_of, facecolor=face, edgecolor="#b5b5b5", lw=0.8)
        if not pixel:
            tiles.set(hatch="////", hatch_linewidth=0.4)
        axes.add_collection(tiles)


def whole(M: Tensor) -> Set[Place]:
    """All places of a matrix."""
    return {(i, j) for i in range(M.shape[0]) for j in range(M.shape[1])}


def short(number: float) -> str:
    """A number as it stands in a cell: no digits that say nothing."""
    return {float("-inf"): "−∞"}.get(number, f"{number:.3g}".replace("-", "−"))
