"""An experiment on arrays that meet in other shapes, with the whole of section 2.1 beside it."""

import operator
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from freedive.catalog import lab
from freedive.core.errors import UsageError
from freedive.core.report import Report
from freedive.topics.tensors import operations as ops
from freedive.topics.tensors.broadcasting import axis_rules, broadcast_shape, stretched, written
from freedive.topics.tensors.broadcasting_figure import broadcast_figure

Operation = Literal["add", "subtract", "multiply", "divide", "less", "greater"]
SIGNS: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "add": ("+", operator.add),
    "subtract": ("−", operator.sub),
    "multiply": ("×", operator.mul),
    "divide": ("÷", operator.truediv),
    "less": ("<", operator.lt),
    "greater": (">", operator.gt),
}
MOST_AXES, LARGEST = 3, 6  # more would not be seen in a picture


@lab("broadcasting", section="2.1")
def broadcasting(
    a: tuple[int, ...] = (3, 1), b: tuple[int, ...] = (1, 2), operation: Operation = "add"
) -> Report:
    """Two arrays of other shapes meet: what is used again, drawn; and the rest of section 2.1.

    Args:
        a: the first array's shape, up to three sizes; its entries count from 0.
        b: the second array's shape; its entries count from 0.
        operation: what is done entry by entry.
    """
    first, second = counting("a", a), counting("b", b)
    sign, operate = SIGNS[operation]
    shape = broadcast_shape(a, b)
    ours = operate(stretched(first, shape), stretched(second, shape))
    theirs = operate(first, second)
    used, kept = 2 * ours.numel(), first.numel() + second.numel()
    return Report(
        numbers={
            "result's shape": written(shape),
            "entries stored": kept,
            "entries used": used,
            "equal to torch's": bool(torch.equal(ours, theirs) or same_with_nan(ours, theirs)),
        },
        tables={
            f"{written(a)} {sign} {written(b)}, axis by axis": [
                {"axis": rule.axis, "a": absent(rule.a), "b": absent(rule.b),
                 "result": rule.size, "reading": rule.reading}
                for rule in axis_rules(a, b)
            ] or [{"axis": "none", "reading": "both are single numbers"}],
            "making": ops.evaluated(ops.CREATION),
            "indexing X, which counts from 0 to 11 in 3 rows": ops.evaluated(ops.INDEXING),
            "joining and comparing": ops.evaluated(ops.JOINING),
            "conversion": ops.evaluated(ops.CONVERSION),
            "whose memory": ops.view_rows(),
            "saving memory": ops.assignment_rows(),
        },
        figures={"broadcast": broadcast_figure(first, second, ours.float(), sign)},
        notes=[
            "Shapes are laid under each other from the right; sizes meet where they are equal or "
            "one of them is 1 or not there.",
            f"Nothing is copied: {kept} entries serve {used} uses, along a stretched axis the "
            "step is 0.",
            "What lies in X's memory changes with X; Z = Z + Y makes a new array, Z[:] = and += "
            "do not.",
        ],
    )  # fmt: skip


def counting(name: str, shape: tuple[int, ...]) -> Tensor:
    """An array of a shape that counts from 0.

    Raises:
        UsageError: a shape that cannot be drawn.
    """
    if len(shape) > MOST_AXES or not all(1 <= size <= LARGEST for size in shape):
        raise UsageError(f"{name} wants up to {MOST_AXES} sizes from 1 to {LARGEST}, "
                         f"got {' '.join(map(str, shape))}")  # fmt: skip
    sizes = torch.Size(shape)
    return torch.arange(sizes.numel(), dtype=torch.float32).reshape(sizes)


def absent(size: int | None) -> int | str:
    """A size in a table; a dash where there is no axis."""
    return "–" if size is None else size


def same_with_nan(a: Tensor, b: Tensor) -> bool:
    """Equal entries, where 0 ÷ 0 equals 0 ÷ 0."""
    return bool(torch.allclose(a.float(), b.float(), rtol=0, atol=0, equal_nan=True))
