"""Pictures of sines and cosines by position, of distances, and of a rotation (section 11.6.3)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

from freedive.topics.calculus.figures import ACCENT, INK, SECOND

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GREY = "#8a8a8a"
COLOURS = (INK, ACCENT, SECOND, "#e0a030", "#7b5ea7", GREY)


def columns_figure(table: Float[Tensor, "positions size"], columns: list[int]) -> "Figure":
    """Some columns by position: pairs of waves, the slower the further right they stand."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots()
    for colour, column in zip(COLOURS, columns, strict=False):
        style = "--" if column % 2 else "-"
        name = f"column {column}: {'cos' if column % 2 else 'sin'}"
        axes.plot(table[:, column], style, color=colour, lw=1.8, label=name)
    axes.set(xlabel="position i", ylabel="p")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def table_figure(table: Float[Tensor, "positions size"]) -> "Figure":
    """Every entry: a row for each position, a column for each dimension."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(
        table, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto", interpolation="nearest"
    )
    axes.set(xlabel="column (dimension)", ylabel="row (position)")
    axes.locator_params(integer=True)
    figure.colorbar(image, ax=axes, label="p")
    return figure


def distance_figure(
    products: Mapping[str, tuple[Tensor, Tensor]], dots: Float[Tensor, "positions positions"]
) -> "Figure":
    """Products by distance, with what different places make of them; all pairs of sinusoids.

    Args:
        products: by name, the mean at each distance, and how far single places are from it.
        dots: p_i·p_j over d/2.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
    looks = ((INK, "-"), (ACCENT, "--"), (SECOND, ":"))
    for (name, (mean, spread)), (colour, style) in zip(products.items(), looks, strict=True):
        left.plot(mean, style, color=colour, lw=1.8, label=name)
        left.fill_between(
            range(len(mean)), mean - spread, mean + spread, color=colour, alpha=0.15, lw=0
        )
    left.axhline(0, color=GREY, lw=0.8)
    left.set(xlabel="distance δ", ylabel="product, 1 at distance 0 if q = k")
    left.grid(alpha=0.3)
    left.legend(fontsize=8)
    image = right.imshow(dots, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    right.set(xlabel="position j", ylabel="position i")
    right.set_title("$p_i · p_j$ over $d/2$", fontsize=10)
    figure.colorbar(image, ax=right)
    return figure


def rotation_figure(
    matrix: Float[Tensor, "size size"], delta: int, gaps: Mapping[str, Tensor]
) -> "Figure":
    """The matrix that leads δ positions on, and how exactly tables of two precisions obey it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    image = left.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    left.set_title(f"rotation by δ = {delta}, a block for each pair of columns", fontsize=10)
    left.set(xlabel="column of $p_i$", ylabel=f"column of $p_{{i+{delta}}}$")
    left.locator_params(integer=True)
    figure.colorbar(image, ax=left)
    for (name, gap), (colour, style) in zip(
        gaps.items(), ((ACCENT, "s--"), (INK, "o-"), (SECOND, "^:")), strict=True
    ):
        right.semilogy(gap.clamp(min=1e-17), style, color=colour, ms=3, label=name)
    right.set(xlabel="δ", ylabel="largest difference from the rotated row")
    right.grid(alpha=0.3)
    right.legend(fontsize=8, title="angles · table", title_fontsize=8)
    return figure
