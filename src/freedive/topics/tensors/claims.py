"""What the book says about handling tensors: making, joining, comparing, memory (section 2.1)."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from freedive.catalog import claim, erratum
from freedive.core.errors import UsageError
from freedive.core.random import generator
from freedive.topics.tensors.broadcasting import broadcast_shape, is_stored, stretched
from freedive.topics.tensors.operations import named, same_memory

Evidence = Iterator[tuple[Any, ...]]


def counting(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """0, 1, 2, … in a shape."""
    return torch.arange(torch.Size(shape).numel(), dtype=dtype).reshape(shape)


@claim("2.1.1", "−1 in reshape is the size that is left: three ways to 3 × 4", "000 section 1.1")
def reshaping() -> Evidence:
    """Twelve entries; and randn has mean 0 and deviation 1, within five standard errors."""
    x = torch.arange(12)
    for shape in ((-1, 4), (3, -1)):
        yield x.reshape(shape), x.reshape(3, 4)
    n = 100_000
    drawn = torch.randn(n, generator=generator(0))
    yield float(drawn.mean()), 0.0, 5 / n**0.5
    yield float(drawn.std()), 1.0, 5 / (2 * n) ** 0.5


@claim(
    "2.1.2", "−1 is the last row, 1:3 excludes row 3, a slice takes one value", "000 section 1.4"
)
def indexing() -> Evidence:
    """On 0 to 11 in three rows."""
    X = counting(3, 4)
    yield X[-1], X[2]
    yield X[1:3], torch.stack([X[1], X[2]])
    X[0:2, :] = 12
    yield X, [[12.0] * 4, [12.0] * 4, [8.0, 9.0, 10.0, 11.0]]


@claim("2.1.3", "cat along axis 0 adds rows, along axis 1 columns; X sums to 66", "000 C2")
def concatenation() -> Evidence:
    """The two printed tables, put together row by row."""
    names = named()
    X, Y = names["X"], names["Y"]
    rows = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [2, 1, 4, 3], [1, 2, 3, 4], [4, 3, 2, 1]]
    yield torch.cat((X, Y), dim=0), rows
    yield torch.cat((X, Y), dim=1), [rows[i] + rows[i + 3] for i in range(3)]
    yield float(X.sum()), 66.0


@claim("2.1.3", "X < Y, X > Y and X == Y divide the entries", "001_003_004 exercise E01")
def comparisons() -> Evidence:
    """Masks of truth values: exactly one of three holds everywhere."""
    X, Y = named()["X"], named()["Y"]
    masks = [X < Y, X > Y, X == Y]
    yield str(masks[0].dtype), "torch.bool"
    yield torch.stack(masks).sum(dim=0), torch.ones(3, 4)
    slow = [[float(a < b) for a, b in zip(x, y, strict=True)] for x, y in zip(X, Y, strict=True)]
    yield masks[0], slow


@claim(
    "2.1.4", "(3, 1) and (1, 2) meet as (3, 2): a's column and b's row repeat", "000 section 1.3"
)
def column_and_row() -> Evidence:
    """The sum that the notes leave out; the entries that are really there."""
    a, b = counting(3, 1), counting(1, 2)
    shape = broadcast_shape(a.shape, b.shape)
    yield list(shape), [3, 2]
    yield stretched(a, shape) + stretched(b, shape), [[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]]
    yield a + b, stretched(a, shape) + stretched(b, shape)
    yield [int(is_stored(x, shape).sum()) for x in (a, b)], [3, 2]


@claim(
    "2.1.4",
    "arrays of three axes meet by the same rule, size against size from the right",
    ("001_003_004 C23", "001_003_004 exercise E02"),
)
def three_axes() -> Evidence:
    """(2, 3, 4) with (1, 3, 4), and 60 random pairs of shapes, judged as torch judges them."""
    a, b = counting(2, 3, 4), counting(1, 3, 4)
    yield a + b, torch.stack([a[0] + b[0], a[1] + b[0]])
    yield a * b, torch.stack([a[0] * b[0], a[1] * b[0]])
    chance, agreed, met = generator(0), 0, 0
    for _ in range(60):
        ranks = torch.randint(0, 4, (2,), generator=chance).tolist()
        one, two = (torch.randint(1, 4, (r,), generator=chance).tolist() for r in ranks)
        ours, theirs = shape_or_none(broadcast_shape, one, two), torch_shape(one, two)
        agreed += ours == theirs
        met += theirs is not None
    yield agreed, 60
    yield met, (15, 55)  # both verdicts were met with


def shape_or_none(rule: Any, a: list[int], b: list[int]) -> tuple[int, ...] | None:
    """A rule's shape, or None where it refuses."""
    try:
        return tuple(rule(a, b))
    except UsageError:
        return None


def torch_shape(a: list[int], b: list[int]) -> tuple[int, ...] | None:
    """What torch makes of two shapes."""
    try:
        return tuple(torch.broadcast_shapes(a, b))
    except RuntimeError:
        return None


@claim(
    "2.1.5", "Z[:] = X + Y and X += Y write where the tensor lies, X = X + Y elsewhere", "000 S1"
)
def saving_memory() -> Evidence:
    """The address before and after."""
    X, Y, Z = counting(3, 4), counting(3, 4), torch.zeros(3, 4, dtype=torch.float64)
    at = Z.data_ptr()
    Z[:] = X + Y
    yield Z.data_ptr() == at, True
    at, before = X.data_ptr(), X
    X += Y
    yield X.data_ptr() == at, True
    X = X + Y
    yield X is before, False
    yield X, 3 * Y


@claim("2.1.6", "X.numpy() is an ndarray in X's memory; torch.tensor(A) is a copy", "002a C1")
def conversion_shares() -> Evidence:
    """What one writes, the other reads, or not."""
    X = torch.arange(12).reshape(3, 4)
    A = X.numpy()
    B = torch.tensor(A)
    yield isinstance(A, np.ndarray), True
    yield [same_memory(X, A), same_memory(X, B)], [True, False]
    X[0, 0] = 99
    yield [int(A[0, 0]), int(B[0, 0])], [99, 0]


@claim("2.1.6", "a tensor of one entry, 3.5, is the numbers 3.5, 3.5 and 3", ("002a C2", "000 C10"))
def one_entry() -> Evidence:
    """By item, float and int, which cuts off, also below zero; two entries are refused."""
    a = torch.tensor([3.5])
    yield [a.item(), float(a), int(a)], [3.5, 3.5, 3]
    yield (
        [type(x).__name__ for x in (a.item(), float(a), int(a))] == ["float", "float", "int"],
        True,
    )
    yield int(torch.tensor([-3.5])), -3
    try:
        float(torch.tensor([1.0, 2.0]))
        refused = False
    except (RuntimeError, ValueError):
        refused = True
    yield refused, True


@erratum(
    "2.1.6",
    "a tensor of one entry prints as tensor([3.5000])",
    printed="a tensor of one entry prints as array([3.5])",
    source="002a E8",
)
def printed_tensor() -> Evidence:
    """What is printed; array(…) is how numpy prints its own."""
    yield repr(torch.tensor([3.5])), "tensor([3.5000])"
    yield repr(torch.tensor([3.5])) == "array([3.5])", False
    yield repr(np.array([3.5])), "array([3.5])"


@erratum(
    "2.1.3",
    "the exponential of each entry is torch.exp(x)",
    printed="torch exp(x), which is no Python",
    source="000 E1",
)
def missing_dot() -> Evidence:
    """The printed line does not parse; the corrected one gives eˣ."""
    yield parses("torch exp(x)"), False
    yield parses("torch.exp(x)"), True
    x = counting(4)
    yield torch.exp(x), [float(np.exp(i)) for i in range(4)], 1e-12


@erratum(
    "2.1.1",
    "the function that counts is torch.arange",
    printed="“arrange”",
    source="000 E38",
)
def arange() -> Evidence:
    """torch has the one name and not the other."""
    yield hasattr(torch, "arrange"), False
    yield torch.arange(4), [0, 1, 2, 3]


def parses(code: str) -> bool:
    """Whether Python reads a line."""
    try:
        compile(code, "a line", "exec")
    except SyntaxError:
        return False
    return True
