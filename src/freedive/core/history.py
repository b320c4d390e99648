"""What a training run measured, as numbers."""

from collections.abc import Iterator
from typing import Any

Row = dict[str, Any]

# a metric with one of these endings is better when it is larger
LARGER_IS_BETTER = ("acc", "accuracy", "bleu", "f1")
# what tells which epoch is best: the first of these that was measured
JUDGED_BY = ("val_acc", "val_loss", "train_loss")


def improves(metric: str, new: float | None, old: float | None, min_delta: float = 0.0) -> bool:
    """Whether ``new`` beats ``old`` by more than ``min_delta``, in the metric's own direction."""
    if new is None or new != new:  # NaN, which files know as null, never improves
        return False
    if old is None:
        return True
    gain = new - old if metric.endswith(LARGER_IS_BETTER) else old - new
    return gain > min_delta


class History:
    """One row of means an epoch, and the finer curve of each series.

    Attributes:
        epochs: a row for each finished epoch: ``{"epoch": 1, "train_loss": …, "val_loss": …}``.
        curves: series name to points (x in epochs, mean of the steps since the last point).
        status: ``finished``, ``stopped`` (a callback ended it), ``interrupted``, ``diverged`` or
            ``failed``.
    """

    def __init__(self, epochs: list[Row] | None = None, curves: dict[str, list[Any]] | None = None):
        self.epochs = epochs or []
        self.curves = {} if curves is None else curves  # an empty one may be the board's
        self.status = "running"

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.epochs)

    def __getitem__(self, metric: str) -> list[float]:
        """One metric's value in each epoch that has it."""
        return [row[metric] for row in self.epochs if metric in row]

    @property
    def last(self) -> Row:
        """The last finished epoch's row; empty before there is one."""
        return self.epochs[-1] if self.epochs else {}

    @property
    def monitored(self) -> str:
        """The metric that tells which epoch is best: validation accuracy, else a loss."""
        for metric in JUDGED_BY:
            if metric in self.last:
                return metric
        return "train_loss"

    def best(self, metric: str | None = None) -> Row:
        """The row of the best epoch by a metric, the first of equals; empty if none has it."""
        metric = metric or self.monitored
        best: Row = {}
        for row in self.epochs:
            if metric in row and improves(metric, row[metric], best.get(metric)):
                best = row
        return best

    def __repr__(self) -> str:
        numbers = ", ".join(f"{k}={v:.4g}" for k, v in self.last.items() if isinstance(v, float))
        return f"History({len(self)} epochs, {self.status}, {numbers})"
