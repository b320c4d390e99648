"""Data sets that are tables: rows to learn from, rows to judge by, rows to predict (5.7)."""

import copy
import hashlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freedive.core.data import DataModule
from freedive.core.errors import DataError, UsageError
from freedive.core.hyperparameters import Count, Whole
from freedive.core.loader import TensorLoader
from freedive.core.random import generator
from freedive.data.columns import Kind
from freedive.data.tabular import TableCodec, kinds_of, read_table

if TYPE_CHECKING:
    import pandas as pd

TABLE = "table.json"  # the file of a run that holds its codec
FOLDS = 5  # one row in so many is for validation, where their number is left open


class TableData(DataModule):
    """Base of the tables: a column of positive numbers to predict from the other columns.

    Inputs are what the training rows' codec makes of a row; the target is the logarithm of the
    column to predict. The rows for validation are drawn at random.

    Args:
        batch_size: rows per batch.
        num_val: validation rows; None takes a fifth.
        data_seed: of which rows these are.
    """

    task = "table"
    standin: ClassVar[str | None] = None
    target: str = ""  # the column to predict
    id_column: str | None = None  # names a row and says nothing of it
    categories: tuple[str, ...] = ()  # columns of numbers that only name something
    num_val: int | None
    data_seed: int

    def __init__(self, batch_size: Count = 64, num_val: Count | None = None, data_seed: Whole = 0):
        self.save_hyperparameters()

    def read(self) -> "pd.DataFrame":
        """The rows whose target is known."""
        raise NotImplementedError(f"{type(self).__name__} wants a read()")

    def read_test(self) -> "pd.DataFrame | None":
        """The rows whose target is to be predicted; None where there are none."""
        return None

    @cached_property
    def raw(self) -> "pd.DataFrame":
        """The rows whose target is known, as they were read."""
        return self.read()

    @cached_property
    def rows(self) -> tuple[Int[Tensor, " train"], Int[Tensor, " val"]]:
        """The numbers of the training and of the validation rows.

        Raises:
            DataError: there are too few rows for both.
        """
        n = len(self.raw)
        num_val = self.num_val or max(n // FOLDS, 1)
        if num_val >= n:
            raise DataError(
                f"{self.label} has {n:,} rows, of which {num_val:,} are to judge by: at least one "
                "to learn from is wanted, pass a smaller num_val or a longer table"
            )
        order = torch.randperm(n, generator=generator(self.data_seed))
        return order[num_val:], order[:num_val]

    def with_rows(self, train: Int[Tensor, " train"], val: Int[Tensor, " val"]) -> "TableData":
        """The same table with other training and validation rows, such as one of K folds."""
        self.raw  # noqa: B018 - read once for all of them
        other = copy.copy(self)
        for learnt in ("kinds", "codec", "splits"):
            vars(other).pop(learnt, None)
        other.rows = (train, val)
        return other

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """The columns to predict from, and which of them the training rows have as numbers."""
        left_out = [name for name in (self.target, self.id_column) if name is not None]
        return kinds_of(self.raw.iloc[self.rows[0].numpy()], left_out, self.categories)

    @cached_property
    def codec(self) -> TableCodec:
        """How rows become features: learnt from the training rows alone."""
        return TableCodec.learnt(self.part(train=True), self.target, self.kinds)

    def part(self, train: bool) -> "pd.DataFrame":
        """The training or the validation rows as they stand in the table."""
        return self.raw.iloc[self.rows[0 if train else 1].numpy()]

    @cached_property
    def splits(self) -> list[tuple[Float[Tensor, "rows features"], Float[Tensor, "rows 1"]]]:
        """Features and targets of the training rows, and of the validation rows."""
        parts = [self.part(train=True), self.part(train=False)]
        return [(self.codec.encode(part), self.codec.targets(part)) for part in parts]

    def get_dataloader(self, train: bool) -> TensorLoader:
        """Batches of features and log targets; shuffled where they are for training."""
        return self.get_tensorloader(self.splits[0 if train else 1], train)

    def model_arguments(self) -> dict[str, Any]:
        """The number of features, and around which value the targets lie."""
        return {"num_inputs": len(self.codec.features), "target_mean": self.codec.target_mean}

    def in_units(self, y: float) -> float:
        """What a target or a model's output means in the table's own unit."""
        return float(f"{float(self.codec.decoded(torch.tensor(y))):.7g}")

    def assets(self) -> dict[str, Any]:
        """What is saved with a run, so that its model can read other tables."""
        return {TABLE: self.codec.to_json()}

    def fingerprint(self) -> str:
        """The name, the SHA-256 of the table as it was read, and what decides the rows."""
        digest = hashlib.sha256(self.raw.to_csv(index=False).encode()).hexdigest()
        settings = {k: v for k, v in self.hparams.items() if k != "file"}  # which may move
        return f"{self.name}:{digest}:{settings}"


class OwnTable(TableData):
    """The table of any CSV file with a header.

    Args:
        file: the CSV file.
        target: the column to predict, of numbers above 0; None takes the last one.
        id_column: a column that names a row and says nothing of it.
        categories: columns of numbers that only name something, such as a postcode.
    """

    name = "own-table"

    def __init__(
        self,
        file: str | Path,
        target: str | None = None,
        id_column: str | None = None,
        categories: tuple[str, ...] = (),
        batch_size: Count = 64,
        num_val: Count | None = None,
        data_seed: Whole = 0,
    ):
        super().__init__(batch_size, num_val, data_seed)
        file = str(file)  # a record of the settings holds plain values
        self.save_hyperparameters()
        header = read_table(Path(file).expanduser()).columns
        self.target = target if target is not None else str(header[-1])
        if self.target == id_column:
            raise UsageError(f"the column {id_column!r} cannot be both target and id: name another")

    def read(self) -> "pd.DataFrame":
        """The file's rows."""
        return read_table(Path(self.file).expanduser())
