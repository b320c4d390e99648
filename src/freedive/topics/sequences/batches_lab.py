"""An experiment on how a long text is cut into batches (section 9.3.3)."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import torch
from torch import Tensor

from freedive.catalog import lab
from freedive.core.hyperparameters import Bounds, Whole
from freedive.core.random import generator
from freedive.core.report import Report
from freedive.topics.calculus.figures import ACCENT, INK, SECOND
from freedive.topics.sequences.batches import (
    Batch,
    num_batches,
    overlapping_batches,
    random_batches,
    sequential_batches,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Method = Callable[[Tensor, int, int, torch.Generator], Iterator[Batch]]
Row = dict[str, Any]
METHODS: dict[str, Method] = {
    "random": random_batches,
    "sequential": sequential_batches,
    "overlapping": overlapping_batches,
}
COLOURS = (INK, SECOND, "#e9a03b", ACCENT, "#7b5ea7", "#5b8c3a")
LISTED, DRAWN = 24, 16  # windows in a table and in a picture
NOTES = (
    "Targets are the inputs one token later: the last token of the text is only a target.",
    "In sequence, row i of a batch goes on where row i of the last one ended; at random, "
    "neighbours have nothing to do with each other.",
    "The offset is drawn anew each epoch, from the places that leave every batch whole.",
)


@lab("sequence-batches", section="9.3.3")
def sequence_batches(
    num_tokens: Annotated[int, Bounds(3, 200, whole=True)] = 35,
    batch_size: Annotated[int, Bounds(1, 16, whole=True)] = 2,
    num_steps: Annotated[int, Bounds(1, 50, whole=True)] = 5,
    epochs: Annotated[int, Bounds(1, 1000, whole=True)] = 200,
    seed: Whole = 0,
) -> Report:
    """Which tokens of a text the batches take: windows at random, in sequence, or at every place.

    Args:
        num_tokens: T, length of the text; its tokens are the numbers from 0.
        batch_size: windows in a batch.
        num_steps: tokens that a window reads.
        epochs: how often the text is cut anew, to count how often each token is read.
        seed: of offsets and orders.
    """
    corpus = torch.arange(num_tokens)

    def cut(method: str, epoch: int) -> list[Batch]:
        return list(METHODS[method](corpus, batch_size, num_steps, generator(seed, epoch)))

    first = {method: cut(method, 0) for method in METHODS}
    reads = {
        method: torch.stack([count_reads(cut(method, i), num_tokens) for i in range(epochs)]).mean(
            0
        )
        for method in ("random", "sequential")
    }
    reads["overlapping, per step"] = count_reads(first["overlapping"], num_tokens) / num_steps
    return Report(
        numbers={
            "whole batches in each epoch": num_batches(num_tokens, batch_size, num_steps),
            "overlapping windows, T − steps": num_tokens - num_steps,
            "reads of the last token": float(max(r[-1] for r in reads.values())),
        },
        tables={
            f"{method}, the first epoch": window_rows(first[method])[:LISTED] for method in METHODS
        },
        figures={"windows": windows_figure(first, reads, num_tokens)},
        notes=list(NOTES),
    )


def count_reads(batches: list[Batch], num_tokens: int) -> Tensor:
    """How often each token is an input."""
    inputs = torch.cat([X.flatten() for X, _ in batches])
    return torch.bincount(inputs, minlength=num_tokens).double()


def window_rows(batches: list[Batch]) -> list[Row]:
    """A row for each window."""
    return [
        {
            "batch": number,
            "row": row,
            "inputs": " ".join(map(str, x.tolist())),
            "targets": " ".join(map(str, y.tolist())),
        }
        for number, batch in enumerate(batches, start=1)
        for row, (x, y) in enumerate(zip(*batch, strict=True), start=1)
    ]


def windows_figure(
    first: dict[str, list[Batch]], reads: dict[str, Tensor], num_tokens: int
) -> "Figure":
    """The windows of an epoch as bars over the text, and how often each token is read."""
    from matplotlib.figure import Figure

    shown = {name: first[name] for name in ("random", "sequential")}
    heights = [min(sum(len(X) for X, _ in batches), DRAWN) for batches in shown.values()]
    figure = Figure(figsize=(10, 4 + 0.25 * sum(heights)), layout="constrained")
    ratios = [0.8 + 0.25 * height for height in heights] + [2.4]
    *bars, below = figure.subplots(3, 1, sharex=True, height_ratios=ratios)
    for axes, (name, batches) in zip(bars, shown.items(), strict=True):
        draw_windows(axes, batches, numbered=num_tokens <= 60)
        axes.set(ylabel="batch, row", title=f"{name}: inputs, and the last target as a frame")
    looks = zip(("-o", "--s", ":"), (INK, ACCENT, "black"), strict=True)
    for (name, counts), (style, colour) in zip(reads.items(), looks, strict=True):
        below.plot(range(num_tokens), counts, style, color=colour, ms=4, label=name)
    below.set(xlabel="token of the text", ylabel="reads per epoch", ylim=(-0.05, 1.35))
    below.grid(alpha=0.3)
    below.legend(ncols=3, loc="upper center", fontsize=9)
    return figure


def draw_windows(axes: "Axes", batches: list[Batch], numbered: bool) -> None:
    """A bar for each window, in the order of reading, coloured by batch."""
    bars = [(b, r, x) for b, (X, _) in enumerate(batches) for r, x in enumerate(X)][:DRAWN]
    for i, (b, _, x) in enumerate(bars):
        start, colour = float(x[0]) - 0.5, COLOURS[b % len(COLOURS)]
        axes.barh(i, len(x), 0.8, start, color=colour, alpha=0.8, edgecolor="white")
        axes.barh(i, 1, 0.72, start + len(x), facecolor="none", edgecolor=colour, ls="--")
        for token in x.tolist() if numbered else ():
            axes.text(token, i, str(token), ha="center", va="center", color="white", fontsize=7)
    axes.set_yticks(range(len(bars)), [f"{b + 1}, {r + 1}" for b, r, _ in bars], fontsize=8)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.grid(axis="x", alpha=0.3)
