"""Attention weights as text, for a terminal."""

import unicodedata
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

SHADES = "·░▒▓█"  # of weights from 0, 0.05, 0.25, 0.5 and 0.75 on
ASCII_SHADES = ".:+x#"  # the same, where a terminal has no others
FROM = (0.05, 0.25, 0.5, 0.75)
INVISIBLE = {" ": "␣", "\n": "⏎", "\t": "⇥", "": "∅"}


def text_heatmap(
    weights: Float[Tensor, "queries keys"],
    queries: Sequence[str],
    keys: Sequence[str],
    width: int = 80,
    color: bool = False,
    shades: str = SHADES,
) -> str:
    """The weights as characters, a line a query; where the keys have no room, the heaviest three.

    Args:
        weights: of one head, or a mean of several.
        queries, keys: their tokens.
        width: columns of the terminal.
        color: paint cells with grey from black, 0, to white, 1, instead of shading them.
        shades: five characters for weights from 0, 0.05, 0.25, 0.5 and 0.75 on.
    """
    rows, names = [[visible(t) for t in side] for side in (queries, keys)]
    side = min(max(map(columns_of, rows), default=0), max(1, width // 4))
    room, longest = width - side - 1, max(map(columns_of, names), default=0)
    cell = max(2, longest)
    if (cell + 1) * len(names) <= room:
        heading, gap = [" ".join(fitted(name, cell) for name in names)], 1
    elif 2 * len(names) <= room:
        cell, gap = 2, int(3 * len(names) <= room)
        heading = _downward(names, " " * gap)
    else:
        return _heaviest(weights, rows, names, width)
    lines = [" " * side + " " + line for line in heading]
    for token, weight in zip(rows, weights.tolist(), strict=True):
        drawn = (" " * gap).join(_cell(w, cell, color, shades) for w in weight)
        lines.append(f"{fitted(token, side)} {drawn}")
    return "\n".join(line.rstrip() for line in lines)


def legend(color: bool = False, shades: str = SHADES) -> str:
    """What the cells of a `text_heatmap` stand for."""
    if color:
        return "black is 0, white is 1"
    steps = (f" < {w:g} < {shade}" for w, shade in zip(FROM, shades[1:], strict=True))
    return shades[0] + "".join(steps)


def _cell(weight: float, width: int, color: bool, shades: str) -> str:
    if color:
        return f"\x1b[48;5;{232 + round(23 * min(max(weight, 0.0), 1.0))}m{' ' * width}\x1b[0m"
    return shades[sum(weight >= least for least in FROM)] * width


def _downward(names: Sequence[str], gap: str) -> list[str]:
    """Headings that are read from above to below, two columns each."""
    names = [name if len(name) <= 10 else name[:9] + "…" for name in names]
    tall = max(map(len, names))
    lines = zip(*(name.rjust(tall) for name in names), strict=True)
    return [gap.join(fitted(letter, 2) for letter in line) for line in lines]


def _heaviest(
    weights: Tensor, queries: Sequence[str], keys: Sequence[str], width: int, most: int = 3
) -> str:
    """For each query the keys with the largest weights."""
    side = min(max(map(columns_of, queries), default=0), max(1, width // 4))
    lines = []
    for token, weight in zip(queries, weights, strict=True):
        best = weight.topk(min(most, len(keys)))
        found = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        told = [f"{keys[i]} {w:.0%}" for i, w in found if w > 0] or ["nothing"]
        while len(told) > 1 and columns_of(", ".join(told)) > width - side - 3:
            told.pop()
        lines.append(fitted(f"{fitted(token, side)} → {', '.join(told)}", width).rstrip())
    return "\n".join(lines)


def visible(token: str) -> str:
    """A token as it can stand on an axis: signs for spaces, nothing that a terminal obeys."""
    if token in INVISIBLE:
        return INVISIBLE[token]
    return "".join(INVISIBLE.get(c, c if c.isprintable() else "?") for c in token)


def columns_of(text: str) -> int:
    """How many columns of a terminal a text takes."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))


def fitted(text: str, width: int) -> str:
    """A text filled with spaces, or cut, to a number of columns."""
    if columns_of(text) > width:
        while text and columns_of(text) > width - 1:
            text = text[:-1]
        text += "…"[:width]
    return text + " " * (width - columns_of(text))
