"""An experiment on the operations of linear algebra, each with its steps by hand (section 2.3)."""

import math
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from freedive.catalog import lab
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Bounds, Whole
from freedive.core.random import generator
from freedive.core.report import Report
from freedive.topics.tensors import linear_algebra as la
from freedive.topics.tensors.drawing import short
from freedive.topics.tensors.linear_algebra_figures import (
    norms_figure,
    product_figure,
    reductions_figure,
)

Numbers = Literal["counting", "random"]
Order = Annotated[float, Bounds(1, 50)]
LARGEST = 8  # of a matrix that is shown with all its steps
Row = dict[str, Any]


@lab("linear-algebra", section="2.3")
def linear_algebra(
    a: tuple[int, int] = (2, 3),
    b: tuple[int, int] = (3, 2),
    numbers: Numbers = "counting",
    x: tuple[float, float] = (3.0, -4.0),
    p: Order = 3.0,
    seed: Whole = 0,
) -> Report:
    """Products, sums and norms with every step written out, and compared with torch's.

    Args:
        a: rows and columns of A.
        b: rows and columns of B, which has as many rows as A columns.
        numbers: what the entries are: 0, 1, 2, … or random whole numbers from −3 to 3.
        x: the vector whose norms are taken.
        p: the order of one more norm.
        seed: of random entries.
    """
    A, B = filled("a", a, numbers, seed, 0), filled("b", b, numbers, seed, 1)
    C = la.mm(A, B)  # refuses shapes that do not multiply
    v, arrow = filled("a", (1, a[1]), numbers, seed, 2)[0], vector(x)
    ones = torch.ones_like(v)
    square = la.hadamard(A, A)
    gaps = {
        "hadamard": square - A * A,
        "dot": la.dot(v, ones) - torch.dot(v, ones),
        "matrix-vector": la.mv(A, v) - torch.mv(A, v),
        "matrix-matrix": C - A @ B,
    }
    exact = max(float(gap.abs().max()) for gap in gaps.values())
    place = (A.shape[0] - 1, B.shape[1] - 1)
    orders = list(dict.fromkeys((1.0, 2.0, p, math.inf)))
    return Report(
        numbers={
            "AB": str(C.long().tolist()),
            "A ⊙ A": str(square.long().tolist()),
            "sum of A": float(A.sum()),
            "mean of A": float(A.mean()),
            "Frobenius norm of A": la.norm(A),
            "largest difference from torch": exact,
        },
        tables={
            "A ⊙ A, entry times entry": entry_rows(A, square),
            "dot product of v and ones": [{"steps": la.product_steps(v, ones)}],
            "Av, a dot product a row": [
                {"row": i, "steps": la.product_steps(row, v)} for i, row in enumerate(A)
            ],
            "AB, a dot product an entry": [
                {"row": i, "column": j, "steps": la.product_steps(A[i], B[:, j])}
                for i in range(len(A))
                for j in range(B.shape[1])
            ],
            "sums of A": sum_rows(A),
            "norms of x": [
                {"p": f"{order:g}", "steps": la.norm_steps(arrow, order)} for order in orders
            ],
        },
        figures={
            "product": product_figure(A, B, C, place),
            "reductions": reductions_figure(A),
            "norms": norms_figure(arrow, p),
        },
        notes=[
            "A ⊙ A keeps A's shape; in AB each entry is a row of A times a column of B.",
            "A sum along axis 0 adds what stands below each other and has a sum for each column.",
            "With keepdim=True the sums still broadcast against A; without, shapes (m, n) and "
            "(m,) do not meet, or, for a square A, meet along the wrong axis.",
        ],
    )


def filled(name: str, shape: tuple[int, int], numbers: Numbers, seed: int, stream: int) -> Tensor:
    """A matrix of whole numbers as float64, whose products are exact.

    Raises:
        UsageError: a matrix too large to be shown.
    """
    if not all(1 <= size <= LARGEST for size in shape):
        raise UsageError(f"{name} wants rows and columns from 1 to {LARGEST}, "
                         f"got {' '.join(map(str, shape))}")  # fmt: skip
    if numbers == "counting":
        return torch.arange(float(shape[0] * shape[1]), dtype=torch.float64).reshape(shape)
    return torch.randint(-3, 4, shape, generator=generator(seed, stream)).double()


def vector(x: tuple[float, float]) -> Tensor:
    """A vector whose norms can be drawn.

    Raises:
        UsageError: entries that no picture has room for.
    """
    if not all(abs(entry) <= 1000 for entry in x):
        raise UsageError(f"x wants two numbers from -1000 to 1000, got {x[0]:g} {x[1]:g}")
    return torch.tensor(x, dtype=torch.float64)


def entry_rows(A: Tensor, square: Tensor) -> list[Row]:
    """The steps of A ⊙ A, a row at a time."""
    return [
        {"row": i, "steps": ", ".join(f"{short(a)}·{la.in_brackets(a)} = {short(s)}"
                                      for a, s in zip(row, squares, strict=True))}
        for i, (row, squares) in enumerate(zip(A.tolist(), square.tolist(), strict=True))
    ]  # fmt: skip


def sum_rows(A: Tensor) -> list[Row]:
    """Sums along either axis with their steps, and the total."""
    rows = [{"of": f"column {j}", "steps": la.sum_steps(A[:, j])} for j in range(A.shape[1])]
    rows += [{"of": f"row {i}", "steps": la.sum_steps(A[i])} for i in range(len(A))]
    running = ", ".join(short(entry) for entry in A.cumsum(dim=0)[-1].tolist())
    rows.append({"of": "last row of cumsum(dim=0)", "steps": f"{running}: the columns' sums"})
    return rows
