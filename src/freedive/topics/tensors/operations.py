"""What the book does with tensors, as text that is run: making, indexing, joining, memory (2.1).

A line of a table and what it shows cannot drift apart: the text that is printed is the text that
is evaluated.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

Row = dict[str, Any]

CREATION = (
    "torch.arange(12)",
    "torch.arange(12).numel()",
    "torch.arange(12).reshape(3, 4)",
    "torch.arange(12).reshape(3, -1)",
    "torch.zeros((2, 3, 4))",
    "torch.ones((2, 3, 4))",
    "torch.tensor([[2, 1, 4, 3], [1, 2, 3, 4], [4, 3, 2, 1]])",
)
INDEXING = ("X[-1]", "X[1:3]", "X[1, 2]", "X[:, 1]", "X[0:2, 1:3]", "X[X > 9]", "X[[2, 0]]")
JOINING = (
    "torch.cat((X, Y), dim=0)",
    "torch.cat((X, Y), dim=1)",
    "X == Y",
    "X < Y",
    "X > Y",
    "X.sum()",
)
CONVERSION = (
    "X.numpy()",
    "torch.tensor(X.numpy())",
    "torch.from_numpy(X.numpy())",
    "a",
    "a.item()",
    "float(a)",
    "int(a)",
)
VIEWS = (
    "X[1:3]",
    "X.T",
    "X.reshape(4, 3)",
    "X.expand(2, 3, 4)",
    "X.numpy()",
    "torch.from_numpy(X.numpy())",
    "X[[2, 0]]",
    "X[X > 9]",
    "X.T.reshape(12)",
    "torch.tensor(X.numpy())",
    "X.clone()",
)
ASSIGNMENTS = ("Z = Z + Y", "Z = X + Y", "Z[:] = X + Y", "Z += Y", "Z.add_(Y)")


def named() -> dict[str, Any]:
    """The tensors that the lines speak of, fresh: X counts from 0 to 11, Y is the book's."""
    X = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    Y = torch.tensor([[2.0, 1, 4, 3], [1, 2, 3, 4], [4, 3, 2, 1]])
    return {"torch": torch, "X": X, "Y": Y, "Z": torch.zeros_like(Y), "a": torch.tensor([3.5])}


def evaluated(lines: Sequence[str], names: Mapping[str, Any] | None = None) -> list[Row]:
    """Each line with its result and the result's shape; the lines are this module's own."""
    rows = []
    for line in lines:
        result = eval(line, dict(names or named()))
        shape = tuple(result.shape) if hasattr(result, "shape") else ""
        rows.append({"line": line, "shape": str(shape), "gives": shown(result)})
    return rows


def view_rows() -> list[Row]:
    """Which results lie in X's own memory, so that writing to one changes the other."""
    rows = []
    for line in VIEWS:
        names = named()
        shares = same_memory(names["X"], eval(line, names))
        rows.append({"line": line, "lies in X's memory": "yes" if shares else "no, a copy"})
    return rows


def assignment_rows() -> list[Row]:
    """Which assignments write into the memory that Z has, and which give Z another one."""
    rows = []
    for line in ASSIGNMENTS:
        names = named()
        before = names["Z"]
        exec(line, names)
        stays = names["Z"] is before
        rows.append({"line": line, "Z afterwards": "in its old memory" if stays else "elsewhere"})
    return rows


def same_memory(a: Tensor, b: Any) -> bool:
    """Whether two tensors, or a tensor and an array, have an entry in common."""
    ours, theirs = (x.numpy() if isinstance(x, Tensor) else x for x in (a, b))
    return bool(np.shares_memory(ours, theirs))


def shown(result: Any, longest: int = 76) -> str:
    """A result in one line, as Python prints it; of a long one, the beginning."""
    text = " ".join(repr(result).split())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
