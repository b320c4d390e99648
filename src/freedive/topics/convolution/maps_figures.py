"""Feature maps side by side (section 7.6)."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.topics.convolution.drawing import show_image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = 2


def maps_figure(
    images: Float[Tensor, "n height width"],
    names: Sequence[str],
    maps: Mapping[str, Sequence[Float[Tensor, "n maps _ _"]]],
) -> "Figure":
    """Each image, and beside it the maps of two layers, before and after training.

    Dark is 0, bright the largest number that the layer answers to this image.

    Args:
        images: one for each name.
        names: their classes.
        maps: both layers' maps of these images, by when they were seen.
    """
    from matplotlib.figure import Figure

    nrows = len(images) * len(maps)
    figure = Figure(figsize=(11.5, 0.3 + 1.75 * nrows), layout="constrained")
    grid = figure.subplots(nrows, 3, squeeze=False, width_ratios=(1, 1.5, 4))
    for i, (image, name) in enumerate(zip(images, names, strict=True)):
        for j, (when, (first, second)) in enumerate(maps.items()):
            cells = grid[len(maps) * i + j]
            show_image(cells[0], image, f"{name}, {when}")
            for axes, layer in zip(cells[1:], (first, second), strict=True):
                largest = float(layer[i].max()) or 1.0
                show_image(axes, tiled(layer[i]), cmap="magma", vmin=0, vmax=largest)
            for axes in cells:
                axes.axis("off")
    for axes, title in zip(grid[0, 1:], ("first", "second"), strict=True):
        axes.set_title(f"the maps of the {title} layer", fontsize=9)
    return figure


def tiled(
    maps: Float[Tensor, "maps height width"], gap: int = 1
) -> Float[Tensor, "tiled_height tiled_width"]:
    """Maps in two rows as one picture; NaN lies between them."""
    missing = -len(maps) % ROWS
    padded = torch.constant_pad_nd(maps, (0, gap, 0, gap, 0, missing), math.nan)
    rows = padded.unflatten(0, (ROWS, -1)).transpose(1, 2)
    return rows.flatten(2).flatten(0, 1)[:-gap, :-gap]
