"""A table with gaps and words becomes tensors, from the text of its file up (section 2.2).

What is missing in a column of numbers gets the column's mean; a column of words becomes a column
of zeros and ones for each word, and one for what is missing. `with_pandas` is the same in the
few lines that one would write; the two give equal tensors.
"""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from freedive.core.errors import UsageError

Column = list[str | None]  # a cell as it is written; None where it is missing
Table = dict[str, Column]

# what pandas takes for missing too
MISSING = frozenset(
    ("", "NA", "N/A", "n/a", "NaN", "nan", "-NaN", "-nan", "NULL", "null", "None", "<NA>", "#N/A",
     "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "1.#IND", "1.#QNAN")
)  # fmt: skip

HOUSE_TINY = """NumRooms,Alley,Price
NA,Pave,127500
2,NA,106000
4,NA,178100
NA,NA,140000
"""


@dataclass(frozen=True)
class Prepared:
    """A table as tensors.

    Attributes:
        names: a name for each column of X.
        X: the inputs.
        filled: True where an entry of X was missing and stands for the mean.
        y: the column to be predicted.
    """

    names: list[str]
    X: Float[Tensor, "rows columns"]
    filled: Bool[Tensor, "rows columns"]
    y: Float[Tensor, " rows"]


def read_table(text: str) -> Table:
    """The columns of a table whose first line names them, and whose cells stand between commas.

    Raises:
        UsageError: no rows, a row too long or too short, or two columns of one name.
    """
    header, *rows = [row for row in csv.reader(io.StringIO(text)) if row] or [[]]
    if not rows:
        raise UsageError("a table wants a line of names and at least one row below, "
                         f"got {len(header) and 1} lines")  # fmt: skip
    if len(set(header)) < len(header):
        raise UsageError(f"a table wants a name of its own for each column, got {header}")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise UsageError(f"row {number} has {len(row)} cells, the header has {len(header)}")
    columns = zip(*rows, strict=True)
    return {
        name: [None if cell in MISSING else cell for cell in column]
        for name, column in zip(header, columns, strict=True)
    }


def missing_counts(table: Table) -> dict[str, int]:
    """How many cells each column lacks."""
    return {name: column.count(None) for name, column in table.items()}


def most_missing(table: Table) -> str:
    """The column that lacks most; of several, the first."""
    counts = missing_counts(table)
    return max(counts, key=lambda name: counts[name])


def without(table: Table, name: str) -> Table:
    """The table without one column.

    Raises:
        UsageError: there is no such column.
    """
    require(table, name)
    return {kept: column for kept, column in table.items() if kept != name}


def complete_rows(table: Table) -> Table:
    """Only the rows that lack nothing: deletion, which costs whole rows."""
    whole = [None not in row for row in zip(*table.values(), strict=True)]
    return {
        name: [cell for cell, kept in zip(column, whole, strict=True) if kept]
        for name, column in table.items()
    }


def is_numeric(column: Column) -> bool:
    """Whether every cell that is there is a number; a column of gaps counts as numbers."""
    return all(cell is None or number(cell) is not None for cell in column)


def number(cell: str) -> float | None:
    """A cell's number, if it is one."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def imputed(name: str, column: Column) -> list[float]:
    """A column of numbers with its mean in the gaps.

    Raises:
        UsageError: nothing is there to take the mean of.
    """
    known = [float(cell) for cell in column if cell is not None]
    if not known:
        raise UsageError(f"column {name} has no value at all, so no mean to fill it with: drop it")
    mean = math.fsum(known) / len(known)
    return [mean if cell is None else float(cell) for cell in column]


def one_hot(name: str, column: Column) -> dict[str, list[float]]:
    """A column of 0 and 1 for each word in alphabetical order, and one for what is missing."""
    words = sorted({cell for cell in column if cell is not None})
    coded = {f"{name}_{word}": [float(cell == word) for cell in column] for word in words}
    return {**coded, f"{name}_nan": [float(cell is None) for cell in column]}


def prepared(table: Table, target: str | None = None) -> Prepared:
    """A table as tensors: first the columns of numbers, then those made of words.

    Args:
        table: what was read.
        target: the column to be predicted; the last one if None.

    Raises:
        UsageError: the target is not there, has gaps or words, or leaves no inputs.
    """
    target = list(table)[-1] if target is None else target
    inputs, outputs = without(table, target), table[target]
    gaps = outputs.count(None)
    if gaps or not is_numeric(outputs):
        kind = f"{gaps} gaps" if gaps else "words"
        raise UsageError(f"the column to be predicted wants a number in each row, {target} has "
                         f"{kind}: name another one by target")  # fmt: skip
    if not inputs:
        raise UsageError(f"{target} is the only column: nothing is left to predict it from")
    columns: dict[str, list[float]] = {}
    for name, column in inputs.items():
        if is_numeric(column):
            columns[name] = imputed(name, column)
    numeric = list(columns)
    for name, column in inputs.items():
        if name not in numeric:
            columns |= one_hot(name, column)
    X = torch.tensor(list(columns.values()), dtype=torch.float64).T
    filled = torch.zeros_like(X, dtype=torch.bool)
    for j, name in enumerate(numeric):
        filled[:, j] = torch.tensor([cell is None for cell in inputs[name]])
    y = torch.tensor([float(cell) for cell in outputs if cell is not None], dtype=torch.float64)
    return Prepared(list(columns), X, filled, y)


def with_pandas(text: str, target: str | None = None, dropped: Sequence[str] = ()) -> Prepared:
    """The same with pandas: mean of the numeric columns, dummies, floating-point tensors.

    ``numeric_only`` because a column of words has no mean; ``dtype=float`` because dummies are
    truth values, which beside numbers would make an array of objects.
    """
    import pandas as pd

    table = pd.read_csv(io.StringIO(text)).drop(columns=list(dropped))
    target = table.columns[-1] if target is None else target
    inputs, outputs = table.drop(columns=target), table[target]
    filled = inputs.fillna(inputs.mean(numeric_only=True))
    coded = pd.get_dummies(filled, dummy_na=True)
    gaps = [inputs[name].isna() if name in inputs else outputs != outputs for name in coded]
    return Prepared(
        list(coded.columns),
        torch.tensor(coded.to_numpy(dtype=float)),
        torch.tensor([gap.tolist() for gap in gaps]).T,
        torch.tensor(outputs.to_numpy(dtype=float)),
    )


def require(table: Table, name: str) -> None:
    """Raise `UsageError` for a column that is not there."""
    if name not in table:
        raise UsageError(f"the table has no column {name!r}: it has {', '.join(table)}")
