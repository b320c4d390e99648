"""An experiment on the size of an output: which padding a formula means (section 7.3)."""

from contextlib import suppress
from typing import Annotated, Any

import torch

from freedive.catalog import lab
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Bounds, Count
from freedive.core.report import Report
from freedive.topics.convolution.scratch import conv2d
from freedive.topics.convolution.size_figures import row_figure, uses_figure
from freedive.topics.convolution.sizes import Axis, output_size, size_by_total, span

Pixels = Annotated[int, Bounds(1, 40, whole=True)]
Padding = Annotated[int, Bounds(0, 12, whole=True)]
Row = dict[str, Any]


@lab("output-size", section="7.3")
def size_of_output(
    n: Pixels = 8, kernel: Count = 3, padding: Padding = 1, stride: Count = 2, dilation: Count = 1
) -> Report:
    """How large an output is, by both formulas: padding on each side, and padding in all.

    Args:
        n: height and width of the image.
        kernel: height and width of a window.
        padding: rows and columns added on each side, as torch takes them: in all twice as many.
        stride: step between windows.
        dilation: distance of the pixels in a window.
    """
    axis = Axis(n, kernel, padding, stride, dilation)
    X, K = torch.zeros(1, 1, n, n), torch.zeros(1, 1, kernel, kernel)
    counted = conv2d(X, K, None, stride, padding, dilation).shape[-1]
    unseen, mistakes = axis.unseen(), misread(axis)
    return Report(
        numbers={
            "output size": axis.size,
            "counted on an image": counted,
            "padding on each side": padding,
            "padding in all": 2 * padding,
            "pixels that a window spans": span(axis.cells, kernel, dilation),
            "cells left over at the end": axis.left_over,
            "pixels that no window sees": unseen or "none",
        },
        tables={
            "two formulas, one answer": both_formulas(axis),
            "if one padding is taken for the other": mistakes,
            "windows": window_table(axis),
        },
        figures={"row": row_figure(axis), "uses": uses_figure(axis)},
        notes=notes(axis, unseen, mistakes),
    )


def both_formulas(axis: Axis) -> list[Row]:
    """The size by torch's formula and by the book's, the numbers filled in."""
    return [
        reading("P, on each side", per_side(axis, axis.padding), axis.size),
        reading("p = 2P, in all", in_all(axis, 2 * axis.padding), axis.size),
    ]


def misread(axis: Axis) -> list[Row]:
    """What comes out where P goes into the formula that wants p, and the other way round."""
    P, rest = axis.padding, (axis.stride, axis.dilation)
    too_much = output_size(axis.n, axis.kernel, 2 * P, *rest)
    too_little: int | str = "no window fits"
    with suppress(UsageError):
        too_little = size_by_total(axis.n, axis.kernel, P, *rest)
    return [
        reading("2P as if on each side", per_side(axis, 2 * P), too_much),
        reading("P as if in all", in_all(axis, P), too_little),
    ]


def reading(padding: str, formula: str, size: int | str) -> Row:
    """A row of the tables."""
    return {"padding": padding, "formula": formula, "size": size}


def per_side(axis: Axis, padding: int) -> str:
    """Torch's formula for one padding."""
    n, k, s, d = axis.n, axis.kernel, axis.stride, axis.dilation
    return f"⌊(n + 2P − d(k − 1) − 1)/s⌋ + 1 = ⌊({n} + 2·{padding} − {d}·({k} − 1) − 1)/{s}⌋ + 1"


def in_all(axis: Axis, padding: int) -> str:
    """The book's formula for one padding; a dilated kernel counts with all that it spans."""
    n, s, spanned = axis.n, axis.stride, axis.dilation * (axis.kernel - 1) + 1
    k = "k" if axis.dilation == 1 else "(d(k − 1) + 1)"
    return f"⌊(n − {k} + p + s)/s⌋ = ⌊({n} − {spanned} + {padding} + {s})/{s}⌋"


def window_table(axis: Axis) -> list[Row]:
    """The pixels of each window, padding left out and counted."""
    rows = []
    for number, window in enumerate(axis.windows()):
        pixels = [cell - axis.padding for cell in window if axis.is_pixel(cell)]
        seen = ", ".join(map(str, pixels)) or "none"
        rows.append({"window": number, "pixels": seen, "padding": len(window) - len(pixels)})
    return rows


def notes(axis: Axis, unseen: list[int], mistakes: list[Row]) -> list[str]:
    """What the numbers mean."""
    told = [
        "Torch's padding P is that of each side, the book's p that of both sides together: "
        f"p = 2P, and both formulas give {axis.size}."
    ]
    if any(row["size"] == axis.size for row in mistakes) and axis.padding:
        told.append("Here a mistaken padding gives the right size by luck: try another stride.")
    if axis.left_over:
        told.append(
            f"The stride {axis.stride} does not divide: left over behind the last window, of the "
            f"{axis.cells} cells of a row: {axis.left_over}."
        )
    if unseen:
        told.append(f"No window sees the pixels {', '.join(map(str, unseen))} of a row.")
    told.append(
        "At stride 1 all pixels are seen equally often only when the padding is k − 1 on each side."
    )
    return told
