"""An experiment with positional encodings: waves, distances, and a rotation (section 11.6.3)."""

import math
from collections.abc import Sequence
from typing import Annotated, Any

import torch
from torch import Tensor

from freedive.catalog import lab
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Bounds, Whole
from freedive.core.random import generator
from freedive.core.report import Report
from freedive.topics.attention import positions_figures as figures
from freedive.topics.attention.positions import RotaryPositions, angles, rotation, waves

Row = dict[str, Any]
MOST_COLUMNS = 6
NOTES = [
    "Columns stand in pairs of a sine and a cosine of one frequency. To the right the frequencies "
    "fall by a constant factor, as the bits of a number change half as often each.",
    "The product of two rows depends on their distance alone, whichever two they are: the shaded "
    "spread over places is 0. Near rows are alike; far ones are not all equally unlike.",
    "δ positions on, every row is the same rotation of where it was: a linear map that a layer can "
    "learn. Tables of angles made in single precision obey it less exactly.",
    "Rotary positions turn queries and keys instead of adding a row: their product then depends on "
    "content and distance, and no vector changes its length.",
]


@lab("positional-encoding", section="11.6.3")
def positional_encoding(
    size: Annotated[int, Bounds(2, 256, whole=True)] = 32,
    num_positions: Annotated[int, Bounds(2, 500, whole=True)] = 60,
    columns: tuple[int, ...] = (6, 7, 8, 9),
    delta: Annotated[int, Bounds(0, 499, whole=True)] = 5,
    base: Annotated[float, Bounds(1, 1e6, above=True)] = 10_000.0,
    seed: Whole = 0,
) -> Report:
    """Where a token stands, as sines and cosines: waves, distances, a rotation; and RoPE.

    Args:
        size: d, columns of the table, and numbers in a query that is rotated; an even number.
        num_positions: rows of the table.
        columns: 1 to 6 columns to draw as curves, counted from 0.
        delta: positions between a row and the one that it is rotated to.
        base: the longest wavelength is 2π times that, nearly.
        seed: of the queries and keys that are rotated.
    """
    check(size, num_positions, columns, delta)
    table = waves(num_positions, size, base)
    products = by_distance(table, size, seed)
    gaps = rotation_gaps(table, base)
    dots = table @ table.T / (size / 2)
    return Report(
        numbers={
            "largest ‖p‖², off d/2 by": float((table.square().sum(dim=1) - size / 2).abs().max()),
            **{f"spread over places, {name}": float(s.max()) for name, (_, s) in products.items()},
            **{f"off the rotation, {name}": float(gap.max()) for name, gap in gaps.items()},
            "shortest wavelength": 2 * math.pi,
            "longest wavelength": 2 * math.pi / float(frequencies(size, base)[-1]),
        },
        tables={
            "columns": column_rows(size, base, columns),
            "numbers in binary": binary_rows(),
            "products by distance": distance_rows(products),
        },
        figures={
            "columns": figures.columns_figure(table, list(columns)),
            "table": figures.table_figure(table),
            "distance": figures.distance_figure(products, dots),
            "rotation": figures.rotation_figure(rotation(delta, size, base), delta, gaps),
        },
        notes=list(NOTES),
    )


def check(size: int, num_positions: int, columns: Sequence[int], delta: int) -> None:
    """Raise `UsageError` for what the table does not have."""
    if size % 2:
        raise UsageError(f"size wants an even number, pairs of columns, got {size}")
    if not 1 <= len(columns) <= MOST_COLUMNS or not all(0 <= c < size for c in columns):
        given = ", ".join(map(str, columns)) or "none"
        raise UsageError(
            f"columns wants 1 to {MOST_COLUMNS} whole numbers from 0 to size - 1 = {size - 1}, "
            f"got {given}"
        )
    if delta >= num_positions:
        raise UsageError(
            f"delta wants less than the num_positions={num_positions}, got {delta}: there is no "
            "row that far on"
        )


def frequencies(size: int, base: float) -> Tensor:
    """ω_j: the angle between neighbours."""
    return angles(2, size, base)[1]


def by_distance(table: Tensor, size: int, seed: int) -> dict[str, tuple[Tensor, Tensor]]:
    """Products of rows by distance: of sinusoids, and of queries and keys that are rotated.

    Each with the largest difference between places of one distance. Rotation is by the usual base.
    """
    n, chance = len(table), generator(seed)
    q, k = (torch.randn(size, generator=chance, dtype=torch.float64) for _ in range(2))
    q, k = q / q.norm(), k / k.norm()
    rotary = exact_rotary(size, n)
    turned = {name: rotary(row.expand(1, n, size))[0] for name, row in (("q", q), ("k", k))}
    pairs = {
        "sinusoids, p·p over d/2": (table, table * 2 / size),
        "rotary, a query and itself": (turned["q"], turned["q"]),
        "rotary, a query and another key": (turned["q"], turned["k"]),
    }
    return {name: along_diagonals(rows @ others.T) for name, (rows, others) in pairs.items()}


def exact_rotary(size: int, num_positions: int) -> RotaryPositions:
    """Rotations whose tables are in double precision."""
    rotary = RotaryPositions(size, num_positions).double()
    turned = angles(num_positions, size)
    rotary.cos, rotary.sin = turned.cos(), turned.sin()
    return rotary


def along_diagonals(products: Tensor) -> tuple[Tensor, Tensor]:
    """The mean at each distance j − i ≥ 0, and how far the farthest place is from it."""
    diagonals = [products.diagonal(apart) for apart in range(len(products))]
    means = torch.stack([diagonal.mean() for diagonal in diagonals])
    spreads = [(diagonal - diagonal.mean()).abs().max() for diagonal in diagonals]
    return means, torch.stack(spreads)


def rotation_gaps(table: Tensor, base: float) -> dict[str, Tensor]:
    """For each δ, how far rows are from what the rotation makes of those δ before.

    Tables as the book makes them, of angles in single precision; of exact angles in single; exact.
    """
    n, size = table.shape
    columns = torch.arange(0, size, 2, dtype=torch.float32)
    turned = torch.arange(n)[:, None] / torch.pow(base, columns / size)
    single = torch.stack([turned.sin(), turned.cos()], dim=-1).flatten(1)
    tables = {
        "single · single": single.double(),
        "double · single": table.float().double(),
        "double · double": table,
    }
    rotations = [rotation(delta, size, base) for delta in range(n)]
    return {
        name: torch.stack(
            [
                (rows[: n - delta] @ turn.T - rows[delta:]).abs().max()
                for delta, turn in enumerate(rotations)
            ]
        )
        for name, rows in tables.items()
    }


def column_rows(size: int, base: float, columns: Sequence[int]) -> list[Row]:
    """Frequency and wavelength of each column that is drawn."""
    omega = frequencies(size, base).tolist()
    return [
        {
            "column": column,
            "wave": "cos" if column % 2 else "sin",
            "frequency ω": omega[column // 2],
            "wavelength": 2 * math.pi / omega[column // 2],
        }
        for column in columns
    ]


def binary_rows() -> list[Row]:
    """0 to 7 in three bits: the last one changes each time, the others half as often each."""
    return [{"number": number, "bits": f"{number:03b}"} for number in range(8)]


def distance_rows(products: dict[str, tuple[Tensor, Tensor]]) -> list[Row]:
    """The means at distances 0, 1, 2, 4, 8, …"""
    n = len(next(iter(products.values()))[0])
    apart = [0, *(2**power for power in range(9) if 2**power < n)]
    return [
        {"δ": delta, **{name: float(mean[delta]) for name, (mean, _) in products.items()}}
        for delta in apart
    ]
