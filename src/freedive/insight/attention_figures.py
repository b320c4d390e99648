"""Attention weights as pictures, and as plain numbers for a file."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from jaxtyping import Float
from torch import Tensor

from freedive.insight.attention import Attention
from freedive.insight.attention_text import visible
from freedive.insight.features import InsightError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#1f3b57"
MOST_LAYERS, MOST_HEADS = 6, 8  # that a figure shows
MOST_TICKS = 40  # on an axis
MOST_LETTERS = 16  # of a token
LETTER, GAP = 0.06, 0.1  # inches: of a letter, and between maps


@dataclass(frozen=True)
class Maps:
    """One attention of one sentence, with a token for each row and column."""

    name: str
    weights: Float[Tensor, "heads queries keys"]
    queries: list[str]
    keys: list[str]


def maps_of(
    attention: Attention,
    queries: Sequence[str] | None = None,
    keys: Sequence[str] | None = None,
    row: int = 0,
) -> Maps:
    """One row of a batch, cut to its tokens; without any, places are numbered from 1.

    Args:
        attention: as it was caught; its own tokens go before the arguments.
        queries, keys: the tokens of the row; what comes after them is padding.
        row: which of the batch.

    Raises:
        InsightError: a row that is not there, or more tokens than there are queries or keys.
    """
    batch, _, *sizes = attention.weights.shape
    if not 0 <= row < batch:
        raise InsightError(f"{attention.name} attended for {batch} sentences, got row {row}")
    sides = [list(attention.queries or queries or ()), list(attention.keys or keys or ())]
    for axis, tokens, size in zip(("queries", "keys"), sides, sizes, strict=True):
        if len(tokens) > size:
            raise InsightError(
                f"{attention.name} has {size} {axis}, got {len(tokens)} tokens for them: pass the "
                "tokens of that axis"
            )
        tokens += [] if tokens else map(str, range(1, size + 1))
    weights = attention.weights[row, :, : len(sides[0]), : len(sides[1])]
    return Maps(attention.name, weights, *([visible(t) for t in side] for side in sides))


def attention_record(attentions: Sequence[Attention], row: int = 0) -> dict[str, Any]:
    """What JSON can hold: each attention's name, its tokens and ``weights[head][query][key]``.

    Args:
        attentions: as they were caught, with their tokens.
        row: which of the batch.
    """
    return {
        "attentions": [
            {
                "name": a.name,
                "queries": list(a.queries),
                "keys": list(a.keys),
                "weights": [
                    [[round(w, 4) for w in query] for query in head]
                    for head in maps_of(a, row=row).weights.tolist()
                ],
            }
            for a in attentions
        ]
    }


def heatmaps(
    attentions: Sequence[Attention],
    queries: Sequence[str] | None = None,
    keys: Sequence[str] | None = None,
    row: int = 0,
    title: str = "",
    head: int | None = None,
) -> "Figure":
    """A row a layer and a column a head, on one scale from 0 to 1; dark is much.

    Args:
        attentions: a layer each; its own tokens go before the arguments.
        queries, keys: the tokens that stand on the axes of all others.
        row: which of the batch.
        title: stands above.
        head: draw only this one of each layer, counted from 1; None: all.

    Raises:
        InsightError: nothing to draw, a head that a layer does not have, or tokens that do not fit.
    """
    if not attentions:
        raise InsightError("there is no attention to draw: was the model called while it was on?")
    layers = [maps_of(a, queries, keys, row) for a in attentions[:MOST_LAYERS]]
    heads = [len(layer.weights) for layer in layers]
    if head is not None and not 0 < head <= min(heads):
        raise InsightError(f"head {head} is not there: the layers have 1 to {min(heads)}")
    numbers = range(max(heads))[:MOST_HEADS] if head is None else range(head - 1, head)
    told = [title] if title else []
    if len(attentions) > len(layers):
        told.append(f"{len(layers)} of {len(attentions)} layers")
    if head is None and max(heads) > len(numbers):
        told.append(f"{len(numbers)} of {max(heads)} heads")
    return _drawn(layers, numbers, ", ".join(told))


def _drawn(layers: Sequence[Maps], numbers: Sequence[int], title: str) -> "Figure":
    """The maps at places that follow from the lengths of their tokens: all sizes are in inches."""
    from matplotlib.figure import Figure

    names = [_in_lines(layer.name or "model", _inches(layer.queries)) for layer in layers]
    margin = 0.3 + LETTER * max(_longest(layer.queries) for layer in layers)
    margin += 0.13 * max(len(name.splitlines()) for name in names)
    width = margin + len(numbers) * (GAP + max(_inches(layer.keys) for layer in layers)) + 0.9
    lines = textwrap.wrap(title, int(width / 0.08))
    above = 0.1 + 0.16 * len(lines)
    tall = [0.22 + _inches(layer.queries) + LETTER * _longest(layer.keys) + GAP for layer in layers]
    size = (width, above + sum(tall) + 0.05)
    figure = Figure(figsize=size)
    figure.suptitle("\n".join(lines), fontsize=9, y=1 - 0.06 / size[1], va="top")

    def place(left: float, top: float, wide: float, high: float) -> Any:
        lengths = (left / size[0], 1 - (top + high) / size[1], wide / size[0], high / size[1])
        return figure.add_axes(lengths)

    for layer, name, top in zip(layers, names, accumulate(tall, initial=above), strict=False):
        wide, high = _inches(layer.keys), _inches(layer.queries)
        for column, head in enumerate(numbers[: len(layer.weights)]):
            axes = place(margin + column * (GAP + wide), top + 0.22, wide, high)
            image = _draw(axes, layer, head)
            if column == 0:
                axes.set_yticks(*_ticks(layer.queries), fontsize=7)
                figure.text(0.1 / size[0], 1 - (top + 0.22 + high / 2) / size[1], name, fontsize=7,
                            rotation=90, va="center", ha="left", ma="center")  # fmt: skip
    bar = place(width - 0.7, above + 0.22, 0.12, min(1.5, _inches(layers[0].queries)))
    figure.colorbar(image, cax=bar, ticks=[0, 0.5, 1])
    bar.tick_params(labelsize=7)
    bar.set_ylabel("weight", fontsize=7)
    return figure


def _draw(axes: Any, layer: Maps, head: int) -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("attention", ["#ffffff", "#8fb0cc", INK])
    weights = layer.weights[head].numpy()
    image = axes.imshow(
        weights, cmap=colours, vmin=0, vmax=1, aspect="auto", interpolation="nearest"
    )
    axes.set_title(f"head {head + 1}", fontsize=7, pad=3)
    axes.set_xticks(*_ticks(layer.keys), rotation=90, fontsize=7)
    axes.set_yticks([])
    axes.tick_params(length=2, pad=2)
    return image


def _in_lines(path: str, inches: float) -> str:
    """A path, broken behind names, and behind their numbers, where a line is full."""
    lines = [""]
    for part in re.findall(r"[^.]+(?:\.\d+)*\.?", path):
        if lines[-1] and LETTER * len(lines[-1] + part) > inches:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _inches(tokens: Sequence[str]) -> float:
    """The side of a map, such that its tokens can be read."""
    return max(0.9, 0.13 * min(len(tokens), MOST_TICKS))


def _longest(tokens: Sequence[str]) -> int:
    return min(max(map(len, tokens), default=0), MOST_LETTERS)


def _ticks(tokens: Sequence[str]) -> tuple[list[int], list[str]]:
    """Where tokens stand, and which: not more than can be read."""
    places = list(range(0, len(tokens), -(-len(tokens) // MOST_TICKS) or 1))
    short = [t if len(t) <= MOST_LETTERS else t[: MOST_LETTERS - 1] + "…" for t in tokens]
    return places, [short[i].replace("$", r"\$") for i in places]  # no formula
