"""What the book says about tables, beside pandas (section 2.2)."""

import io
from collections.abc import Iterator
from typing import Any

import torch

from freedive.catalog import claim, erratum
from freedive.topics.tensors import preprocessing as pre
from freedive.topics.tensors.claims import parses
from freedive.topics.tensors.preprocessing_lab import random_houses

Evidence = Iterator[tuple[Any, ...]]


@claim(
    "2.2.3",
    "the table of four houses becomes X = [[3, 1, 0], [2, 0, 1], [4, 0, 1], [3, 0, 1]] and y",
    ("000 C11", "001_003_004 exercise E04"),
)
def four_houses() -> Evidence:
    """From scratch and with pandas: equal, of type float64, without gaps."""
    ours, theirs = pre.prepared(pre.read_table(pre.HOUSE_TINY)), pre.with_pandas(pre.HOUSE_TINY)
    for made in (ours, theirs):
        yield made.X, [[3.0, 1.0, 0.0], [2.0, 0.0, 1.0], [4.0, 0.0, 1.0], [3.0, 0.0, 1.0]]
        yield made.y, [127500.0, 106000.0, 178100.0, 140000.0]
        yield str(made.X.dtype), "torch.float64"
    yield ", ".join(ours.names), "NumRooms, Alley_Pave, Alley_nan"
    yield ours.names == theirs.names, True
    yield bool(ours.X.isnan().any()), False


@claim("2.2.2", "gaps are filled, or rows with gaps deleted", "000 section 1.6")
def two_strategies() -> Evidence:
    """Of four houses none is left; of random ones, as many as pandas' dropna leaves."""
    import pandas as pd

    for text in (pre.HOUSE_TINY, random_houses(50, 0.3, seed=1)):
        kept = pre.complete_rows(pre.read_table(text))
        theirs = pd.read_csv(io.StringIO(text)).dropna()
        yield len(kept["Price"]), len(theirs)
        yield [float(cell or "nan") for cell in kept["Price"]], theirs["Price"].tolist()
    yield len(pre.complete_rows(pre.read_table(pre.HOUSE_TINY))["Price"]), 0


@erratum(
    "2.2.4",
    "the column with most gaps is isna().sum().idxmax(), one column",
    printed="(an answer) dropna(axis=1), which drops every column that has a gap",
    source="001_003_004 exercise E03",
)
def most_missing_column() -> Evidence:
    """On random tables, as pandas counts; the printed answer leaves the price alone."""
    import pandas as pd

    for seed in range(5):
        text = random_houses(60, 0.4, seed)
        table, theirs = pre.read_table(text), pd.read_csv(io.StringIO(text))
        counts = theirs.isna().sum()
        yield list(pre.missing_counts(table).values()), counts.tolist()
        yield pre.most_missing(table), str(counts.idxmax())
        kept = pre.without(table, pre.most_missing(table))
        yield ", ".join(kept), "NumRooms, Price"
        yield ", ".join(theirs.dropna(axis=1)), "Price"


@erratum(
    "2.2.2",
    "only columns of numbers have a mean: inputs.mean(numeric_only=True)",
    printed="inputs.fillna(inputs.mean()), a TypeError as Alley holds words",
    source=("000 E3", "001_003_004 E31"),
)
def numeric_only() -> Evidence:
    """The printed line and the corrected one, with pandas; ours from scratch beside it."""
    import pandas as pd

    inputs = pd.read_csv(io.StringIO(pre.HOUSE_TINY))[["NumRooms", "Alley"]]
    yield raises(lambda: inputs.fillna(inputs.mean())), "TypeError"
    filled = inputs.fillna(inputs.mean(numeric_only=True))
    yield filled["NumRooms"].tolist(), [3.0, 2.0, 4.0, 3.0]
    yield pre.imputed("NumRooms", [None, "2", "4", None]), [3.0, 2.0, 4.0, 3.0]


@erratum(
    "2.2.3",
    "torch.tensor(inputs.to_numpy(dtype=float)): dummies are truth values",
    printed="torch.tensor(inputs.values), which is an array of objects",
    source="001_003_004 E31",
)
def to_numbers() -> Evidence:
    """The printed line is refused; the corrected one gives X."""
    import pandas as pd

    inputs = pd.read_csv(io.StringIO(pre.HOUSE_TINY))[["NumRooms", "Alley"]]
    coded = pd.get_dummies(inputs.fillna(inputs.mean(numeric_only=True)), dummy_na=True)
    yield raises(lambda: torch.tensor(coded.values)), "TypeError"
    X = torch.tensor(coded.to_numpy(dtype=float))
    yield X, pre.prepared(pre.read_table(pre.HOUSE_TINY)).X


@erratum(
    "2.2.1",
    "the body of `with open(…)` stands farther in",
    printed="the body of `with open(…)` at the margin, an IndentationError",
    source=("000 E2", "001_003_004 E31"),
)
def indentation() -> Evidence:
    """Both ways to write the file, read by Python."""
    yield parses("with open(name, 'w') as f:\nf.write(line)\n"), False
    yield parses("with open(name, 'w') as f:\n    f.write(line)\n"), True


@claim("2.2.3", "a table read and prepared from scratch equals pandas' result", "002a E59")
def equals_pandas() -> Evidence:
    """The reference texts only name this section; 20 random tables, in every entry."""
    for seed in range(20):
        text = random_houses(12 + seed, 0.3, seed)
        ours, theirs = pre.prepared(pre.read_table(text)), pre.with_pandas(text)
        yield ours.names == theirs.names, True
        yield ours.X, theirs.X, 1e-12
        yield ours.y, theirs.y


def raises(action: Any) -> str:
    """The name of the error that something raises, or nothing."""
    try:
        action()
    except Exception as error:
        return type(error).__name__
    return "nothing"
