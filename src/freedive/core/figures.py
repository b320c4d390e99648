"""Pictures of numbers: curves, a gallery, a confusion matrix. They need no display."""

import hashlib
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINES = ("-", "--", "-.", ":")
INK, ACCENT, SECOND = "#1f3b57", "#d1495b", "#2a9d8f"  # the colours of the labs


def curves_figure(
    series: dict[str, list[tuple[float, float]]],
    xlabel: str | None = None,
    ylabel: str | None = None,
    xlim: tuple[float, float] | None = None,
    ylim: tuple[float, float] | None = None,
    xscale: str = "linear",
    yscale: str = "linear",
    title: str = "",
) -> "Figure":
    """One line a series, any number of them."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for i, (label, points) in enumerate(series.items()):
        xs, ys = zip(*points, strict=True) if points else ((), ())
        marker = "o" if len(points) < 2 else None
        axes.plot(xs, ys, linestyle=LINES[i % 4], color=f"C{i % 10}", marker=marker, label=label)
    axes.set(xlabel=xlabel or "", ylabel=ylabel or "", xscale=xscale, yscale=yscale)
    axes.set(xlim=xlim, ylim=ylim, title=title)
    axes.grid(alpha=0.3)
    if series:
        axes.legend()
    return figure


def gallery_figure(
    images: Float[Tensor, "n channels height width"],
    titles: Sequence[str],
    title: str = "",
    ncols: int = 8,
) -> "Figure":
    """Images in a grid, each under its title."""
    from matplotlib.figure import Figure

    n, _, height, width = images.shape
    nrows = max(1, -(-n // ncols))
    room, gap = max(1, height // 3), max(1, width // 12)  # above an image for its title, beside it
    # one picture of them all: axes of its own for each would take matplotlib seconds
    tiles = torch.ones(nrows * ncols, 3, room + height, width + gap)
    tiles[:n, :, room:, :width] = images.float().clamp(0, 1).cpu()
    mosaic = tiles.unflatten(0, (nrows, ncols)).permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    inches = 0.4 + 1.9 * nrows
    figure = Figure(figsize=(1.5 * ncols, inches))
    figure.suptitle(title, y=1 - 0.1 / inches, va="top")
    axes = figure.add_axes((0.01, 0.01, 0.98, 0.98 - 0.4 / inches))
    axes.axis("off")
    axes.imshow(mosaic.numpy(), interpolation="nearest")
    for i, text in enumerate(titles[:n]):
        row, column = divmod(i, ncols)
        x, y = column * (width + gap) + width / 2, row * (room + height) + 0.9 * room
        axes.text(x, y, text, ha="center", va="bottom", fontsize=9)
    return figure


def confusion_figure(
    matrix: Int[Tensor, "classes classes"], class_names: Sequence[str], title: str = ""
) -> "Figure":
    """A confusion matrix with its counts; rows are true classes, shaded by their share."""
    from matplotlib.figure import Figure

    n = len(class_names)
    shares = matrix / matrix.sum(dim=1, keepdim=True).clamp(min=1)
    figure = Figure(figsize=(1.5 + 0.6 * n, 1.2 + 0.6 * n), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares.cpu().numpy(), cmap="Blues", vmin=0, vmax=1)
    for i in range(n):
        for j in range(n):
            colour = "white" if shares[i, j] > 0.5 else "black"
            count = int(matrix[i, j])
            text = axes.text(j, i, str(count) if count else "·", ha="center", va="center")
            text.set(color=colour, in_layout=False)  # which lies inside: no room is made for it
    axes.set_xticks(range(n), class_names, rotation=45, ha="right")
    axes.set_yticks(range(n), class_names)
    axes.set(xlabel="predicted", ylabel="true", title=title)
    return figure


def figure_bytes(figure: "Figure", format: str = "svg") -> bytes:
    """A figure as the content of a file: equal figures give equal bytes."""
    content = io.BytesIO()
    metadata = {"Date": None} if format == "svg" else None
    figure.savefig(content, format=format, dpi=120, metadata=metadata)
    return steady(content.getvalue()) if format == "svg" else content.getvalue()


def steady(svg: bytes) -> bytes:
    """An SVG of matplotlib's with ids that follow from what it shows.

    Its own are hashes of a random salt, or of places to the last bit, which a layout does not
    reach twice.
    """
    hashed = re.compile(rb'(?<=["#])[A-Za-z_]*[0-9a-f]{10}(?=["\)])')
    digest = hashlib.sha256(hashed.sub(b"", svg)).hexdigest()[:8]  # another figure has other ids
    numbers = {name: b"f%s-%d" % (digest.encode(), i)
               for i, name in enumerate(dict.fromkeys(hashed.findall(svg)))}  # fmt: skip
    return hashed.sub(lambda match: numbers[match[0]], svg)
