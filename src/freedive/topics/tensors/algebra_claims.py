"""What the book says about linear algebra (section 2.3)."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from freedive.catalog import claim, erratum
from freedive.core.errors import UsageError
from freedive.core.random import generator
from freedive.topics.tensors import linear_algebra as la
from freedive.topics.tensors.broadcasting import broadcast_shape
from freedive.topics.tensors.claims import counting
from freedive.topics.tensors.preprocessing_claims import raises

Evidence = Iterator[tuple[Any, ...]]
SUMS = [[6.0], [22.0], [38.0], [54.0], [70.0]]


def normal(*shape: int, stream: int = 0) -> Tensor:
    """Standard normal numbers in double precision, the same each time."""
    return torch.randn(shape, generator=generator(0, stream), dtype=torch.float64)


@claim(
    "2.3.3",
    "(Aᵀ)ᵀ = A, Aᵀ + Bᵀ = (A + B)ᵀ, and A + Aᵀ is symmetric",
    ("001_003_004 exercise E05", "001_003_004 exercise E06", "001_003_004 exercise E07"),
)
def transposes() -> Evidence:
    """Entry by entry: (Aᵀ)ᵢⱼ is aⱼᵢ; then the three rules, on arrays that are not square too."""
    for rows, columns in ((1, 1), (3, 5), (4, 4)):
        A, B = normal(rows, columns), normal(rows, columns, stream=1)
        slow = [[float(A[i, j]) for i in range(rows)] for j in range(columns)]
        yield A.T, slow
        yield A.T.T, A
        yield A.T + B.T, (A + B).T
    C = counting(4, 4)
    yield C + C.T, (C + C.T).T
    yield C + C.T, [[0.0, 5, 10, 15], [5, 10, 15, 20], [10, 15, 20, 25], [15, 20, 25, 30]]


@claim(
    "2.3.4",
    "len is the size of the first axis; a single number has none",
    ("001_003_004 C25", "001_003_004 exercise E08", "001_003_004 exercise E09"),
)
def length() -> Evidence:
    """2 for (2, 3, 4), whose rank is 3; a TypeError for no axes."""
    X = torch.zeros(2, 3, 4)
    yield [len(X), X.dim()], [2, 3]
    yield raises(lambda: len(torch.tensor(3.5))), "TypeError"


@claim(
    "2.3.5",
    "A + B and A ⊙ B work entry by entry: A + A = 2A, A ⊙ A = A²",
    ("000 C3", "002a C3"),
)
def entrywise() -> Evidence:
    """The printed 2 × 3 product, and all of the 5 × 4 tables."""
    yield la.hadamard(counting(2, 3), counting(2, 3)), [[0.0, 1, 4], [9, 16, 25]]
    A = counting(5, 4)
    B = A.clone()
    yield A + B, [[2.0 * (4 * i + j) for j in range(4)] for i in range(5)]
    yield la.hadamard(A, B), [[float((4 * i + j) ** 2) for j in range(4)] for i in range(5)]
    yield la.hadamard(A, B), A * B
    yield list((3 + A).shape), [5, 4]


@claim(
    "2.3.6",
    "kept sums of 0 … 19 in five rows are 6, 22, 38, 54, 70, and divide them to shares",
    ("000 C4", "000 section 1.7.6"),
)
def kept_sums() -> Evidence:
    """Sums along either axis, both, and none; means; running sums; rows of shares sum to 1."""
    A = counting(5, 4)
    yield A.sum(dim=1, keepdim=True), SUMS
    yield A.sum(dim=0), [40.0, 45, 50, 55]
    yield [float(A.sum(dim=(0, 1))), float(A.sum())], [190.0, 190.0]
    yield [float(A.mean()), float(A.sum()) / A.numel()], [9.5, 9.5]
    yield A.mean(dim=0), A.sum(dim=0) / A.shape[0]
    yield A.cumsum(dim=0)[-1], A.sum(dim=0)
    yield la.shares(A).sum(dim=1), torch.ones(5), 1e-12


@claim(
    "2.3.6",
    "sums of (2, 3, 4) along axes 0, 1, 2 have shapes (3, 4), (2, 4), (2, 3)",
    ("001_003_004 exercise E11", "001_003_004 C23"),
)
def shapes_of_sums() -> Evidence:
    """The axis that is summed goes; its entries are added one by one. Rows 6, 22, 38."""
    X = counting(2, 3, 4)
    for axis, shape in enumerate(((3, 4), (2, 4), (2, 3))):
        yield list(X.sum(dim=axis).shape), list(shape)
        added = torch.zeros(shape, dtype=torch.float64)
        for part in X.unbind(axis):
            added = added + part
        yield X.sum(dim=axis), added
    yield counting(3, 4).sum(dim=1), [6.0, 22.0, 38.0]


@erratum(
    "2.3.7",
    "A / A.sum(1) fails where (m, n) does not meet (m,), and for m = n divides wrongly in silence",
    printed="(an answer) it fails because the numbers of dimensions differ",
    source=("001_003_004 C24", "001_003_004 exercise E10"),
)
def silent_division() -> Evidence:
    """3 × 4 is refused, though 3 × 3, with the same two ranks, is not; keepdim mends both."""
    wide, square = counting(3, 4), counting(3, 3)
    yield raises(lambda: wide / wide.sum(dim=1)), "RuntimeError"
    yield raises(lambda: broadcast_shape((3, 4), (3,))), "UsageError"
    wrong = (square / square.sum(dim=1)).sum(dim=1)
    yield wrong, [0.1786, 1.5714, 2.9643], 1e-4
    for A in (wide, square):
        yield la.shares(A).sum(dim=1), torch.ones(3), 1e-12


@claim("2.3.8", "xᵀy is Σ xᵢyᵢ: 3 for (0, 1, 2), 6 for (0, 1, 2, 3), with ones", "002a C4")
def dot_products() -> Evidence:
    """From a loop, as torch.dot, as the sum of x · y; and the steps."""
    for n, expected in ((3, 3.0), (4, 6.0)):
        x, ones = counting(n), torch.ones(n, dtype=torch.float64)
        for value in (la.dot(x, ones), torch.dot(x, ones), (x * ones).sum()):
            yield float(value), expected
    yield la.product_steps(torch.arange(3), torch.tensor([1, 1, 1])), "0·1 + 1·1 + 2·1 = 3"


@erratum(
    "2.3.8",
    "y = torch.ones(4) is made before x and y are multiplied",
    printed="the line lacks “y =”, so that y is still the float64 prices of section 2.2",
    source="000 E4",
)
def stale_y() -> Evidence:
    """Multiplying float32 and float64 vectors is refused, by torch and here."""
    x, prices = torch.arange(4, dtype=torch.float32), torch.ones(4, dtype=torch.float64)
    yield raises(lambda: torch.dot(x, prices)), "RuntimeError"
    yield raises(lambda: la.dot(x, prices)), "UsageError"
    yield float(la.dot(x, torch.ones(4))), 6.0


@claim("2.3.9", "Ax is a dot product for each row: 5 and 14", ("002a C5", "000 section 1.7.8"))
def matrix_vector() -> Evidence:
    """The printed example, the other text's 5 × 4, and that columns must equal entries."""
    A, x = torch.arange(6).reshape(2, 3), torch.arange(3)
    yield la.mv(A, x), [5, 14]
    yield [torch.mv(A, x).tolist(), (A @ x).tolist()], [[5, 14], [5, 14]]
    yield la.product_steps(A[0], x), "0·0 + 1·1 + 2·2 = 5"
    yield la.mv(counting(5, 4), counting(4)), [14.0, 38, 62, 86, 110]
    yield raises(lambda: la.mv(counting(5, 4), counting(5))), "UsageError"


@erratum(
    "2.3.9",
    "the product of integer tensors is of integers: tensor([ 5, 14])",
    printed="tensor([5., 14.]), with a bracket too few",
    source="002a E9",
)
def integer_product() -> Evidence:
    """Its type and how it prints; with floating-point numbers neither is possible."""
    A, x = torch.arange(6).reshape(2, 3), torch.arange(3)
    yield repr(torch.mv(A, x)), "tensor([ 5, 14])"
    yield str(la.mv(A, x).dtype), "torch.int64"
    yield raises(lambda: torch.mv(A, x.float())), "RuntimeError"
    yield raises(lambda: A.mean()), "RuntimeError"


@claim("2.3.10", "0 … 19 in five rows times ones is 6, 22, 38, 54, 70 in each column", "002a C6")
def matrix_matrix() -> Evidence:
    """Three times the same column: each entry is a sum of a row."""
    A, ones = counting(5, 4), torch.ones(4, 3, dtype=torch.float64)
    expected = torch.tensor(SUMS).expand(5, 3)
    yield la.mm(A, ones), expected
    yield torch.mm(A, ones), expected


@claim("2.3.10", "cᵢⱼ = aᵢᵀbⱼ; AB is a matrix–vector product for each column of B", "002a C7")
def product_entries() -> Evidence:
    """Four sizes, against torch and entry by entry."""
    for m, k, n in ((1, 1, 1), (2, 3, 4), (5, 4, 3), (3, 1, 2)):
        A, B = normal(m, k), normal(k, n, stream=1)
        C = la.mm(A, B)
        yield C, A @ B, 1e-12
        dots = [[float((A[i] * B[:, j]).sum()) for j in range(n)] for i in range(m)]
        yield C, dots, 1e-12
        yield C, torch.stack([A @ column for column in B.T], dim=1), 1e-12
    yield raises(lambda: la.mm(counting(5, 4), counting(5, 4))), "UsageError"


@claim("2.3.11", "(3, −4) is 5 long by the 2-norm, 7 by the 1-norm", "000 C5")
def two_norms() -> Evidence:
    """From the formula, and torch's own."""
    x = torch.tensor([3.0, -4.0], dtype=torch.float64)
    yield [la.norm(x), la.norm(x, 1), la.norm(x, math.inf)], [5.0, 7.0, 4.0]
    yield [float(torch.linalg.norm(x)), float(x.abs().sum())], [5.0, 7.0]


@claim(
    "2.3.11",
    "the norm of an array of any shape is the 2-norm of all its entries: 65.7571 for 0 … 23",
    ("001_003_004 C23", "001_003_004 exercise E12"),
)
def norm_of_all() -> Evidence:
    """√4324, whatever the shape; and of a random one the root of its sum of squares."""
    X = counting(2, 3, 4)
    yield [la.norm(X), la.norm(X.flatten())], [4324**0.5] * 2
    yield float(torch.linalg.norm(X)), 65.7571, 5e-5
    Y = normal(3, 2, 4)
    yield la.norm(Y), float((Y**2).sum().sqrt()), 1e-12


@erratum(
    "2.3.11",
    "a norm is 0 for the null vector alone, beside homogeneity, triangle and sign",
    printed="three demands, which f(x) = |x₁| meets too",
    source="000 E34",
)
def definiteness() -> Evidence:
    """|x₁| breaks only the fourth; the 1-, 2- and largest-entry norms break none."""
    vectors = [*normal(8, 3), torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)]
    scales = [-2.0, 0.0, 0.5]

    def first(x: Tensor) -> float:
        return abs(float(x[0]))

    yield ", ".join(la.broken_axioms(first, vectors, scales)), "definite"
    for p in (1.0, 2.0, 3.0, math.inf):
        yield len(la.broken_axioms(lambda x, p=p: la.norm(x, p), vectors, scales)), 0  # type: ignore[misc]


@claim("2.3.11", "by a norm no detour is shorter: p = ½ gives none", "000 section 1.7.10")
def below_one() -> Evidence:
    """The two unit vectors and p = ½: 1 + 1 by way of a corner, 4 straight ahead."""
    x, y = torch.eye(2, dtype=torch.float64)

    def half(x: Tensor) -> float:
        return float(x.abs().sqrt().sum()) ** 2

    yield [half(x) + half(y), half(x + y)], [2.0, 4.0]
    yield "triangle inequality" in la.broken_axioms(half, [x, y], [1.0]), True
    try:
        la.norm(x, 0.5)
        refused = False
    except UsageError:
        refused = True
    yield refused, True
