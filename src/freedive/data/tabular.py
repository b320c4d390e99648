"""Tables of numbers and categories with gaps, as features of a network (sections 2.2 and 5.7).

All that is learnt from a table (means, spreads, categories) is learnt from its training rows and
kept in a `TableCodec`: validation rows, test rows and next year's rows go through the same codec,
and none of them moves a number in it.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from freedive.core.errors import DataError, FreediveError, unknown
from freedive.data.columns import (
    COLUMNS,
    CategoryColumn,
    Kind,
    NumberColumn,
    as_number,
    numbers,
    series,
)
from freedive.data.store import read_text

if TYPE_CHECKING:
    import pandas as pd

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")  # "None" is a category of its own


def read_table(path: Path) -> "pd.DataFrame":
    """A table of words, as a CSV file has it: rows counted from 1, None where a field is missing.

    Fields are separated by whichever of comma, semicolon and tab the first line has most of.

    Raises:
        DataError: it is no such file, two columns have one name, a row is too long or too short,
            or there are no rows.
    """
    import pandas as pd

    text = read_text(path)
    first = text.lstrip().split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=first.count))
    try:
        rows = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}: give a CSV file") from None
    header = [name.strip() for name in rows.pop(0)[1]]
    for name in header:
        if header.count(name) > 1:
            raise DataError(f"{path} has two columns called {name!r}: rename one")
    for line, row in rows:
        if len(row) != len(header):
            raise DataError(
                f"{path}, line {line} has {len(row)} fields, the header {len(header)}: correct it"
            )
    if not rows:
        raise DataError(f"{path} has a header and no rows: give a table with at least one")
    values = [[None if f.strip() in MISSING else f.strip() for f in row] for _, row in rows]
    return pd.DataFrame(values, index=range(1, len(rows) + 1), columns=header, dtype=object)


def kinds_of(
    table: "pd.DataFrame", left_out: Iterable[str] = (), categories: Iterable[str] = ()
) -> dict[str, Kind]:
    """The kind of each column: a number where most of its values are numbers.

    A word in such a column is more likely a slip than a category, and the codec refuses it.

    Args:
        table: any rows; a look at their kind teaches a model nothing.
        left_out: columns without a kind, such as the target.
        categories: columns of numbers that only name something, such as a postcode.

    Raises:
        UsageError: a column is not there.
    """
    for name in (*left_out, *categories):
        if name not in table.columns:
            raise unknown("column of the table", name, map(str, table.columns))
    kinds: dict[str, Kind] = {}
    for name in table.columns:
        if name in left_out:
            continue
        known = table[name].dropna()
        numeric = sum(as_number(value) is not None for value in known)
        mostly = name not in categories and numeric > len(known) / 2
        kinds[name] = "number" if mostly else "category"
    return kinds


def target_of(table: "pd.DataFrame", target: str, log: bool) -> Float[Tensor, "rows 1"]:
    """The column that is to be predicted, or its logarithm, in double precision.

    Raises:
        DataError: it is missing, no number, or has no logarithm; names the row.
    """
    y = numbers(series(table, target))
    for wrong, said in ((np.isnan(y), "nothing"), (log & (y <= 0), "")):
        if wrong.any():
            at = int(wrong.argmax())
            wanted = "a number above 0, for its logarithm is learnt," if log else "a number"
            raise DataError(
                f"the target {target!r} wants {wanted} and row {table.index[at]} has "
                f"{said or format(y[at], 'g')}: correct it, or take the row out"
            )
    return torch.from_numpy(np.log(y) if log else y)[:, None]


@dataclass(frozen=True)
class TableCodec:
    """How the rows of a table become features, as its training rows have it.

    Attributes:
        target: the column that is to be predicted.
        columns: those to predict it from; those that say nothing in the training rows are left out.
        log: the target is log y, so that errors are relative.
        target_mean: of the training rows, after the logarithm where there is one.
    """

    target: str
    columns: tuple[NumberColumn | CategoryColumn, ...]
    log: bool
    target_mean: float

    @classmethod
    def learnt(
        cls, training: "pd.DataFrame", target: str, kinds: Mapping[str, Kind], log: bool = True
    ) -> "TableCodec":
        """The codec that training rows teach.

        Args:
            training: the rows.
            target: the column that is to be predicted.
            kinds: the columns to predict it from, each with its kind.
            log: predict log y.

        Raises:
            DataError: there are no rows, a number column holds words, or no column tells rows
                apart.
        """
        if not len(training):
            raise DataError("the table has no training rows: give at least one")
        y = target_of(training, target, log)
        found = (COLUMNS[kind].learnt(series(training, n)) for n, kind in kinds.items())
        columns = tuple(column for column in found if column is not None)
        if not columns:
            raise DataError(
                f"none of the columns {', '.join(list(kinds)[:5]) or '(there are none)'} holds two "
                "different values in the training rows: nothing can be learnt from them"
            )
        return cls(target, columns, log, float(y.mean()))

    @property
    def features(self) -> list[str]:
        """What the features are called, in their order."""
        return [feature for column in self.columns for feature in column.features]

    def encode(self, table: "pd.DataFrame") -> Float[Tensor, "rows features"]:
        """The features of any rows that have the columns.

        Raises:
            DataError: a column is not there, or a number column holds words.
        """
        parts = [column.encode(series(table, column.name)) for column in self.columns]
        return torch.from_numpy(np.concatenate(parts, axis=1)).float()

    def targets(self, table: "pd.DataFrame") -> Float[Tensor, "rows 1"]:
        """y of any rows, or log y.

        Raises:
            DataError: it is missing, no number, or has no logarithm.
        """
        return target_of(table, self.target, self.log).float()

    def decoded(self, y_hat: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """What a model's outputs say of y: exp ŷ where it has learnt log y."""
        return y_hat.double().exp() if self.log else y_hat.double()

    def to_json(self) -> dict[str, Any]:
        """All of it, as a run keeps it."""
        kinds = {kind: name for name, kind in COLUMNS.items()}
        columns = [{"kind": kinds[type(column)], **asdict(column)} for column in self.columns]
        return {"target": self.target, "log": self.log, "target_mean": self.target_mean,
                "columns": columns}  # fmt: skip

    @classmethod
    def from_json(cls, kept: Any) -> "TableCodec":
        """The codec that a run has kept.

        Raises:
            FreediveError: it is damaged.
        """
        known: Any = COLUMNS
        try:
            columns = []
            for given in kept["columns"]:
                facts: dict[str, Any] = {
                    k: tuple(v) if isinstance(v, list) else v for k, v in given.items()
                }
                columns.append(known[facts.pop("kind")](**facts))
            return cls(kept["target"], tuple(columns), kept["log"], float(kept["target_mean"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FreediveError(f"what a run kept of its table is damaged ({error!r})") from None
