"""A table before and after: gaps and words on the left, a tensor on the right (section 2.2)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from freedive.core.figures import ACCENT, INK, SECOND
from freedive.topics.tensors.drawing import PALE, short
from freedive.topics.tensors.preprocessing import Prepared, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_ROWS, MOST_COLUMNS, LONGEST = 12, 8, 10
DROPPED = "#e4e4e4"


def table_figure(table: Table, after: Prepared, dropped: str | None, target: str) -> "Figure":
    """The table as it was read, and X and y as they are learnt from; a corner of large ones."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    rows, columns = min(MOST_ROWS, len(after.y)), min(MOST_COLUMNS, len(after.names))
    names = [*[name for name in table if name != target][: MOST_COLUMNS - 1], target]
    before = [["missing" if cell is None else cell for cell in table[name][:rows]]
              for name in names]  # fmt: skip
    made = [[short(number) for number in column] for column in after.X[:rows, :columns].T.tolist()]
    made.append([f"{number:.6g}" for number in after.y[:rows].tolist()])
    wide = len(before) + len(made)
    figure = Figure(figsize=(1.15 * wide + 0.8, 0.36 * rows + 1.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(len(before), len(made)))
    shades = [
        [DROPPED if name == dropped else PALE[ACCENT] if cell == "missing" else "white"
         for cell in cells] for name, cells in zip(names, before, strict=True)
    ]  # fmt: skip
    draw_table(left, names, before, shades)
    coded = [name not in table for name in after.names[:columns]]
    shades = [
        [PALE[SECOND] if mean else PALE[INK] if words else "white" for mean in column]
        for column, words in zip(after.filled[:rows, :columns].T.tolist(), coded, strict=True)
    ]
    draw_table(right, [*after.names[:columns], target], made, [*shades, ["white"] * rows])
    for axes, title in ((left, "as it was read"), (right, "as tensors")):
        axes.set_title(title, fontsize=11, color=INK)
    key = {"a gap": PALE[ACCENT], "filled with the mean": PALE[SECOND], "a word": PALE[INK]}
    key |= {"dropped": DROPPED} if dropped else {}
    patches = [Patch(facecolor=c, edgecolor="#b5b5b5", label=word) for word, c in key.items()]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(key), frameon=False)
    if rows < len(after.y) or columns < len(after.names):
        of = f"rows 1 to {rows} of {len(after.y)}, inputs 1 to {columns} of {len(after.names)}"
        figure.suptitle(of, fontsize=9)
    return figure


def draw_table(
    axes: "Axes",
    names: Sequence[str],
    columns: Sequence[Sequence[str]],
    shades: Sequence[Sequence[str]],
) -> None:
    """Cells with text, column by column."""
    from matplotlib.patches import Rectangle

    for j, (name, cells, colours) in enumerate(zip(names, columns, shades, strict=True)):
        axes.text(j + 0.5, -0.5, cut(name), ha="center", va="center", fontsize=8.5, weight="bold")
        for i, (cell, colour) in enumerate(zip(cells, colours, strict=True)):
            axes.add_patch(Rectangle((j, i), 1, 1, facecolor=colour, edgecolor="#b5b5b5", lw=0.8))
            axes.text(j + 0.5, i + 0.52, cut(cell), ha="center", va="center", fontsize=8.5)
    axes.set(xlim=(-0.05, len(names) + 0.05), ylim=(len(columns[0]) + 0.1, -1.0))
    axes.axis("off")


def cut(text: str) -> str:
    """A text that fits into a cell."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
