"""An experiment on a table with gaps and words: from a file's text to tensors (section 2.2)."""

from pathlib import Path
from typing import Annotated, Any

import torch

from freedive.catalog import lab
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Bounds, Whole
from freedive.core.random import generator
from freedive.core.report import Report
from freedive.topics.tensors import preprocessing as pre
from freedive.topics.tensors.drawing import short
from freedive.topics.tensors.preprocessing_figure import table_figure

Rows = Annotated[int, Bounds(0, 2000, whole=True)]
Share = Annotated[float, Bounds(0, 0.9)]
ALLEYS = ("Pave", "Grvl", "Dirt")
SHOWN = 8  # rows of a table that is printed


@lab("preprocessing", section="2.2")
def preprocessing(
    csv: str = "",
    target: str = "",
    drop_most_missing: bool = False,
    rows: Rows = 0,
    missing: Share = 0.4,
    seed: Whole = 0,
) -> Report:
    """A table before and after: gaps filled by means, words as zeros and ones, then tensors.

    Args:
        csv: a file of your own, its first line the names; empty takes the book's four houses.
        target: the column to be predicted; empty takes the last.
        drop_most_missing: leave out the input column that lacks most.
        rows: without a file, so many random houses in place of the book's four.
        missing: the share of gaps in random houses.
        seed: of random houses.
    """
    text = read_file(csv) if csv else random_houses(rows, missing, seed) if rows else pre.HOUSE_TINY
    table = pre.read_table(text)
    target = target or list(table)[-1]
    inputs = pre.without(table, target)
    fullest_of_gaps = pre.most_missing(inputs) if inputs else None
    dropped = fullest_of_gaps if drop_most_missing else None
    ours = pre.prepared(pre.without(table, dropped) if dropped else table, target)
    theirs = pre.with_pandas(text, target, [dropped] if dropped else [])
    kept = pre.complete_rows(table)
    return Report(
        numbers={
            "rows": len(ours.y),
            "input column that lacks most": fullest_of_gaps,
            "shape of X": str(tuple(ours.X.shape)),
            "type of X": str(ours.X.dtype),
            "entries filled with a mean": int(ours.filled.sum()),
            "gaps left in X": int(ours.X.isnan().sum()),
            "rows left if those with gaps are deleted": len(kept[target]),
            "largest difference from pandas": away(ours, theirs),
        },
        tables={
            "as it was read": first_rows(table),
            "columns": column_rows(table, target, dropped),
            "as tensors": [
                {**dict(zip(ours.names, map(short, x), strict=True)), f"{target} (y)": f"{y:.6g}"}
                for x, y in zip(ours.X[:SHOWN].tolist(), ours.y.tolist(), strict=False)
            ],
        },
        figures={"before-and-after": table_figure(table, ours, dropped, target)},
        notes=[
            "Filling keeps every row and invents the mean; deleting keeps only what was measured, "
            f"here {len(kept[target])} of {len(ours.y)} rows.",
            "A gap in a column of words is a word of its own; columns that lack least are the "
            "last to be dropped.",
            "Means of training rows only may be used where rows are held back for a test.",
        ],
    )


def read_file(name: str) -> str:
    """The text of a table.

    Raises:
        UsageError: no such file, or one that is no text.
    """
    try:
        return Path(name).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise UsageError(f"{name} cannot be read as a table: {reason}") from None


def random_houses(rows: int, missing: float, seed: int) -> str:
    """A larger table of the book's kind: Alley lacks most, Price nothing."""
    chance = generator(seed)
    rooms = torch.randint(1, 9, (rows,), generator=chance).tolist()
    alleys = torch.randint(len(ALLEYS), (rows,), generator=chance).tolist()
    noise = torch.randn(rows, generator=chance).tolist()
    gaps = torch.rand(rows, 2, generator=chance) < torch.tensor([missing, 0.5 + missing / 2])
    lines = ["NumRooms,Alley,Price"]
    for room, alley, shift, (no_room, no_alley) in zip(
        rooms, alleys, noise, gaps.tolist(), strict=True
    ):
        price = round(60_000 + 30_000 * room + 8_000 * shift)
        lines.append(f"{'NA' if no_room else room},{'NA' if no_alley else ALLEYS[alley]},{price}")
    return "\n".join(lines) + "\n"


def first_rows(table: pre.Table) -> list[dict[str, Any]]:
    """The first rows of a table as it was read."""
    cells = list(zip(*table.values(), strict=True))[:SHOWN]
    return [
        dict(zip(table, ["missing" if c is None else c for c in row], strict=True)) for row in cells
    ]


def column_rows(table: pre.Table, target: str, dropped: str | None) -> list[dict[str, Any]]:
    """What each column holds, lacks, and becomes."""
    rows = []
    for name, lacks in pre.missing_counts(table).items():
        column = table[name]
        becomes = "gaps filled with the mean"
        if name == target:
            becomes = "y"
        elif name == dropped:
            becomes = "nothing: dropped"
        elif not pre.is_numeric(column):
            becomes = ", ".join(pre.one_hot(name, column))
        elif lacks:
            known = pre.imputed(name, column)
            becomes = f"gaps filled with the mean {short(sum(known) / len(known))}"
        kind = "numbers" if pre.is_numeric(column) else "words"
        rows.append({"column": name, "holds": kind, "lacks": lacks, "becomes": becomes})
    return rows


def away(ours: pre.Prepared, theirs: pre.Prepared) -> float:
    """The largest difference between two preparations; infinite where names or shapes differ."""
    if ours.names != theirs.names or ours.X.shape != theirs.X.shape:
        return float("inf")
    gaps = [(a - b).abs().max() for a, b in ((ours.X, theirs.X), (ours.y, theirs.y))]
    return max(float(gap) for gap in gaps)
