"""What commands print: tables for people, one object for programs."""

import logging
import math
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn

from freedive.core.data import DataModule
from freedive.core.files import json_text


def print_json(value: Any) -> None:
    """One object on one line; what JSON cannot say (NaN, infinity) becomes null."""
    print(json_text(value), flush=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "") -> None:
    """A table as wide as the terminal; plain characters where there is none."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    width = shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 110
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    body = [[_cell(value) for value in row] for row in rows]
    for i, column in enumerate(columns):
        numeric = all(isinstance(row[i], (int, float)) for row in rows) if rows else False
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in body:
        table.add_row(*row)
    Console(width=width, highlight=False, markup=False).print(table)


class _Printer(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        print(record.getMessage(), flush=True)


def print_news() -> None:
    """From here on, print what freedive's own log says: a fetch or a drawing that takes time."""
    logger = logging.getLogger("freedive")
    if not logger.handlers:
        logger.addHandler(_Printer())
        logger.setLevel(logging.INFO)


def print_layers(model: nn.Module, inputs: Any) -> None:
    """A model's layers: shapes, parameters, multiply-adds, memory, what an output sees.

    Args:
        model: any module.
        inputs: the shape of a batch, or example tensors: `freedive.insight.summary.summary`.
    """
    from freedive.insight.summary import summary

    columns, *rows = summary(model, inputs).rows()
    print_table(columns, rows)


def example_inputs(data: DataModule) -> tuple[Any, ...]:
    """What a model gets of one example of a data set, as a batch of one."""
    batch = next(iter(data.get_dataloader(train=False) or ()))
    return tuple(part[:1] for part in batch[:-1])


def print_curves(board: Any) -> None:
    """Curves, where there is a terminal to draw them in."""
    if sys.stdout.isatty() and board.series:
        width, height = shutil.get_terminal_size((80, 24))
        color = "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        print(board.text(min(width, 100), min(max(height // 2, 10), 18), color))


def metrics_text(row: dict[str, Any]) -> str:
    """An epoch's numbers in words."""
    numbers = (
        f"{name} {value:.4f}"
        for name, value in row.items()
        if isinstance(value, float) and name != "seconds"
    )
    return ", ".join(numbers)


def seconds_text(seconds: float) -> str:
    """A duration as people say it."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 90 else f"{minutes / 60:.1f} h"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4g}"
    return "" if value is None else str(value)
