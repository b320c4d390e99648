"""The columns of a table: numbers and categories, what is learnt of them, what becomes of them."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from freedive.core.errors import DataError, unknown

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["number", "category"]

SKEWED = 0.75  # skewness from which a number of at least 0 is taken as log(1 + x)
REACH = 5.0  # standard deviations: a value farther out counts as that far


def series(table: "pd.DataFrame", name: str) -> "pd.Series":
    """A column of a table that has to have it."""
    if name not in table.columns:
        raise DataError(
            f"the table lacks the column {name!r}, one of those that were learnt from: add it, "
            f"empty if need be ({unknown('column', name, map(str, table.columns))})"
        )
    return table[name]


def as_number(value: Any) -> float | None:
    """A finite number, also one in words; else None."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def numbers(column: "pd.Series") -> np.ndarray:
    """A column's numbers, NaN where one is missing.

    Raises:
        DataError: there is something else; names the column, the row and what stands there.
    """
    if column.dtype == float:
        return np.asarray(column, dtype=float)
    found = np.full(len(column), np.nan)
    missing = column.isna().to_numpy()
    for i, value in enumerate(column.tolist()):
        if missing[i]:
            continue
        number = as_number(value)
        if number is None:
            raise DataError(
                f"column {column.name!r} is one of numbers, and row {column.index[i]} has "
                f"{value!r}: correct it, leave it empty, or name the column among the categories"
            )
        found[i] = number
    return found


def squeezed(x: np.ndarray) -> np.ndarray:
    """log(1 + x), continued to negative numbers: sign(x) log(1 + |x|)."""
    return np.sign(x) * np.log1p(np.abs(x))


def skewness(x: np.ndarray) -> float:
    """The mean of z³: 0 for what is symmetric, large where a few values are far above the rest."""
    spread = x.std()
    return float((((x - x.mean()) / spread) ** 3).mean()) if spread else 0.0


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers: z = (x − mean) / std, 0 where x is missing.

    Attributes:
        name: of the column.
        mean: of the training rows, after the logarithm where there is one.
        std: of the training rows, likewise.
        log: x is taken as log(1 + x) first, for its training rows are skewed.
        gaps: training rows lack it, so that a second feature says where it is missing.
    """

    name: str
    mean: float
    std: float
    log: bool
    gaps: bool

    @classmethod
    def learnt(cls, column: "pd.Series") -> "NumberColumn | None":
        """What the training rows say; None where they have no two different numbers."""
        x = numbers(column)
        known = x[~np.isnan(x)]
        if not len(known) or known.min() == known.max():
            return None
        log = bool(known.min() >= 0 and skewness(known) > SKEWED)
        z = squeezed(known) if log else known
        return cls(column.name, float(z.mean()), float(z.std()), log, len(known) < len(x))

    @property
    def features(self) -> list[str]:
        """What its features are called."""
        return [self.name, f"{self.name}=missing"][: 1 + self.gaps]

    def encode(self, column: "pd.Series") -> np.ndarray:
        """One feature or two, a row each."""
        x = numbers(column)
        z = ((squeezed(x) if self.log else x) - self.mean) / self.std
        z = np.nan_to_num(z.clip(-REACH, REACH), nan=0.0)
        return np.stack([z, np.isnan(x)][: 1 + self.gaps], axis=1)


@dataclass(frozen=True)
class CategoryColumn:
    """A column of words: a feature of 0 or 1 for each category of the training rows.

    A category that they do not have is none of these: its row is all zeros.

    Attributes:
        name: of the column.
        categories: of the training rows, sorted.
        gaps: training rows lack it, which counts as a category more.
    """

    name: str
    categories: tuple[str, ...]
    gaps: bool

    @classmethod
    def learnt(cls, column: "pd.Series") -> "CategoryColumn | None":
        """What the training rows say; None where all of them say the same."""
        known = column.dropna().astype(str)
        found = cls(column.name, tuple(sorted(set(known))), len(known) < len(column))
        return found if len(found.features) > 1 else None

    @property
    def features(self) -> list[str]:
        """What its features are called."""
        own = [f"{self.name}={category}" for category in self.categories]
        return [*own, f"{self.name}=missing"] if self.gaps else own

    def encode(self, column: "pd.Series") -> np.ndarray:
        """A feature for each category, a row each."""
        places = {category: place for place, category in enumerate(self.categories)}
        missing = column.isna().to_numpy()
        features = np.zeros((len(column), len(self.features)))
        for row, word in enumerate(column.tolist()):
            place = len(places) if missing[row] else places.get(str(word), -1)
            if 0 <= place < features.shape[1]:
                features[row, place] = 1
        return features


COLUMNS: dict[Kind, type[NumberColumn] | type[CategoryColumn]] = {
    "number": NumberColumn,
    "category": CategoryColumn,
}
