"""Products, reductions and norms from loops, each with its steps as one would write them (2.3)."""

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Shaped
from torch import Tensor

from freedive.core.errors import UsageError
from freedive.topics.tensors.broadcasting import written
from freedive.topics.tensors.drawing import short

Matrix = Shaped[Tensor, "rows columns"]
Vector = Shaped[Tensor, " n"]


def hadamard(A: Matrix, B: Shaped[Tensor, "height width"]) -> Matrix:
    """Entry times entry: (A ⊙ B)ᵢⱼ = aᵢⱼ bᵢⱼ.

    Raises:
        UsageError: two shapes; a broadcast is not meant here.
    """
    if A.shape != B.shape:
        raise UsageError(f"A ⊙ B wants two arrays of one shape, got {written(A.shape)} and "
                         f"{written(B.shape)}: A @ B is the matrix product")  # fmt: skip
    products = [a * b for a, b in zip(A.flatten(), B.flatten(), strict=True)]
    return torch.stack(products).reshape(A.shape) if products else A.clone()


def dot(x: Vector, y: Shaped[Tensor, " m"]) -> Shaped[Tensor, ""]:
    """Σᵢ xᵢ yᵢ.

    Raises:
        UsageError: vectors of unequal length, or of two types, which torch refuses as well.
    """
    if len(x) != len(y):
        raise UsageError(f"xᵀy wants vectors of one length, got {len(x)} and {len(y)}")
    if x.dtype != y.dtype:
        raise UsageError(f"xᵀy wants one type of number, got {x.dtype} and {y.dtype}: "
                         "pass x.to(y.dtype)")  # fmt: skip
    total = torch.zeros((), dtype=x.dtype)
    for a, b in zip(x, y, strict=True):
        total = total + a * b
    return total


def mv(A: Matrix, x: Vector) -> Shaped[Tensor, " rows"]:
    """(Ax)ᵢ = aᵢᵀx: one dot product for each row.

    Raises:
        UsageError: A has not as many columns as x entries.
    """
    if A.shape[1] != len(x):
        raise UsageError(f"Ax wants as many columns in A as entries in x, got {A.shape[1]} "
                         f"columns and {len(x)} entries")  # fmt: skip
    return torch.stack([dot(row, x) for row in A]) if len(A) else x.new_zeros(0)


def mm(A: Matrix, B: Shaped[Tensor, "inner width"]) -> Shaped[Tensor, "rows width"]:
    """cᵢⱼ = aᵢᵀbⱼ: one matrix–vector product for each column of B, side by side.

    Raises:
        UsageError: A has not as many columns as B rows.
    """
    if A.shape[1] != B.shape[0]:
        raise UsageError(f"AB wants as many columns in A as rows in B, got {written(A.shape)} "
                         f"times {written(B.shape)}: Aᵀ or Bᵀ may fit")  # fmt: skip
    columns = [mv(A, column) for column in B.T]
    return torch.stack(columns, dim=1) if columns else A.new_zeros(len(A), 0)


def shares(A: Matrix) -> Matrix:
    """Each entry as a share of its row's sum; the kept axis lets the sums broadcast."""
    return A / A.sum(dim=1, keepdim=True)


def norm(x: Shaped[Tensor, "..."], p: float = 2.0) -> float:
    """‖x‖ₚ = (Σ |xᵢ|ᵖ)^(1/p) over all entries; p = 2 of a matrix is its Frobenius norm.

    The largest entry is taken out first, so that no power overflows.

    Raises:
        UsageError: p < 1, where the triangle inequality fails.
    """
    if not p >= 1:
        raise UsageError(f"a norm wants p of at least 1, got {p:g}: below, a detour is shorter")
    sizes = x.flatten().to(torch.float64).abs()
    largest = float(sizes.max()) if sizes.numel() else 0.0
    if largest == 0 or math.isinf(p) or math.isinf(largest):
        return largest
    return largest * float(((sizes / largest) ** p).sum()) ** (1 / p)


Length = Callable[[Vector], float]


def broken_axioms(f: Length, vectors: Sequence[Vector], scales: Sequence[float]) -> list[str]:
    """Which of the four demands on a norm a function breaks on these vectors, not null, and 0.

    f(αx) = |α| f(x);  f(x + y) ≤ f(x) + f(y);  f(x) ≥ 0;  f(x) = 0 only for x = 0.
    """
    small = 1e-9
    broken = []
    if any(abs(f(s * x) - abs(s) * f(x)) > small * (1 + abs(s)) for x in vectors for s in scales):
        broken.append("homogeneous")
    if any(f(x + y) > f(x) + f(y) + small for x in vectors for y in vectors):
        broken.append("triangle inequality")
    if any(f(x) < 0 for x in vectors):
        broken.append("not negative")
    if any(f(x) == 0 for x in vectors) or f(torch.zeros_like(vectors[0])) != 0:
        broken.append("definite")
    return broken


# the same by hand


def product_steps(x: Vector, y: Vector) -> str:
    """The steps of a dot product.

    >>> product_steps(torch.arange(3), torch.tensor([1, 1, -1]))
    '0·1 + 1·1 + 2·(−1) = −1'
    """
    factors = [(short(float(a)), in_brackets(float(b))) for a, b in zip(x, y, strict=True)]
    return " + ".join(f"{a}·{b}" for a, b in factors) + f" = {short(float(dot(x, y)))}"


def sum_steps(x: Vector) -> str:
    """The steps of a sum.

    >>> sum_steps(torch.tensor([1, -2, 3]))
    '1 + (−2) + 3 = 2'
    """
    head, *rest = x.tolist()
    terms = [short(head), *map(in_brackets, rest)]
    return f"{' + '.join(terms)} = {short(float(x.sum()))}"


def norm_steps(x: Vector, p: float) -> str:
    """The steps of a norm, to four digits.

    >>> norm_steps(torch.tensor([3.0, -4.0]), 2)
    '(|3|^2 + |−4|^2)^(1/2) = (9 + 16)^(1/2) = 5'
    """
    sizes = [f"|{short(a)}|" for a in x.tolist()]
    if p == 1:
        return f"{' + '.join(sizes)} = {norm(x, 1):.4g}"
    if math.isinf(p):
        return f"max({', '.join(sizes)}) = {norm(x, p):.4g}"
    powers = " + ".join(f"{abs(a) ** p:.4g}" for a in x.tolist())
    raised = " + ".join(f"{size}^{p:g}" for size in sizes)
    return f"({raised})^(1/{p:g}) = ({powers})^(1/{p:g}) = {norm(x, p):.4g}"


def in_brackets(number: float) -> str:
    """A number behind a sign: a negative one in brackets."""
    return f"({short(number)})" if number < 0 else short(number)
