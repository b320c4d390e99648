"""An experiment on speed: the same sums by loops and by one call (section 3.1.2)."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.catalog import lab
from freedive.core.figures import ACCENT, INK, SECOND
from freedive.core.hyperparameters import Bounds, Whole
from freedive.core.random import generator
from freedive.core.report import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Operation = Literal["add", "dot", "matrix-vector"]
Size = Annotated[int, Bounds(1, 100_000, whole=True)]
Repeats = Annotated[int, Bounds(1, 20, whole=True)]
LOOP, NUMBERS, ONE_CALL = "loop over a tensor's entries", "loop over Python numbers", "one call"
TENSOR_RATIO = "tensor loop / call"


@lab("vectorization", section="3.1.2")
def vectorization(
    operation: Operation = "add", size: Size = 10_000, repeats: Repeats = 3, seed: Whole = 0
) -> Report:
    """One call against loops: the same numbers, in a thousandth of the time or less.

    Args:
        operation: a + b, a · b, or A b with A of about as many entries as `size`.
        size: the largest number of entries; tenths of it stand above.
        repeats: how often each way is tried; the fastest try counts.
        seed: of the entries.
    """
    sizes = sorted({max(1, size // 10**k) for k in range(4)})
    rows, gaps = [], []
    for n in sizes:
        ways = ways_of(operation, n, seed)
        results = {name: way() for name, way in ways.items()}
        gaps += [relative_gap(results[name], results[ONE_CALL]) for name in (LOOP, NUMBERS)]
        # a single call is too short for the clock: many tries, of which the best counts
        seconds = {
            name: fastest(way, 20 * repeats if name == ONE_CALL else repeats)
            for name, way in ways.items()
        }
        rows.append(time_row(n, seconds))
    return Report(
        numbers={
            "largest size": sizes[-1],
            "results agree": max(gaps) < 1e-10,
            "largest relative difference": max(gaps),
        },
        tables={"measured on this machine, another time each run": rows},
        figures={"seconds": seconds_figure(rows)},
        notes=[
            "each entry of a loop passes through Python; one call passes through it once",
            "a loop that reads single entries of a tensor makes a tensor of each: the dearest way",
            "the fixed price of a call is all that is measured at small sizes",
            "results differ by rounding at most, where the order of a sum differs",
        ],
    )


def ways_of(operation: Operation, n: int, seed: int) -> dict[str, Callable[[], Tensor]]:
    """The two loops and the call, on the same random entries."""
    chance = generator(seed, n)
    if operation == "matrix-vector":
        side = max(1, round(n**0.5))
        A, x = _draw(side, side, chance=chance), _draw(side, chance=chance)
        return {
            LOOP: lambda: matrix_vector_loop(A, x),
            NUMBERS: lambda: matrix_vector_numbers(A, x),
            ONE_CALL: lambda: A @ x,
        }
    a, b = _draw(n, chance=chance), _draw(n, chance=chance)
    if operation == "dot":
        return {
            LOOP: lambda: matrix_vector_loop(a[None], b),
            NUMBERS: lambda: matrix_vector_numbers(a[None], b),
            ONE_CALL: lambda: torch.dot(a, b).reshape(1),
        }
    return {
        LOOP: lambda: add_loop(a, b),
        NUMBERS: lambda: add_numbers(a, b),
        ONE_CALL: lambda: a + b,
    }


def _draw(*shape: int, chance: torch.Generator) -> Tensor:
    return torch.randn(*shape, generator=chance, dtype=torch.float64)


def add_loop(a: Float[Tensor, " n"], b: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """cᵢ = aᵢ + bᵢ, reading and writing one entry of a tensor at a time."""
    c = torch.zeros_like(a)
    for i in range(len(a)):
        c[i] = a[i] + b[i]
    return c


def add_numbers(a: Float[Tensor, " n"], b: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """cᵢ = aᵢ + bᵢ over lists of Python numbers."""
    return a.new_tensor([p + q for p, q in zip(a.tolist(), b.tolist(), strict=True)])


def matrix_vector_loop(A: Float[Tensor, "m n"], x: Float[Tensor, " n"]) -> Float[Tensor, " m"]:
    """yᵢ = Σⱼ aᵢⱼ xⱼ, one entry of a tensor at a time."""
    y = A.new_zeros(len(A))
    for i in range(A.shape[0]):
        for j in range(A.shape[1]):
            y[i] += A[i, j] * x[j]
    return y


def matrix_vector_numbers(A: Float[Tensor, "m n"], x: Float[Tensor, " n"]) -> Float[Tensor, " m"]:
    """yᵢ = Σⱼ aᵢⱼ xⱼ over lists of Python numbers."""
    numbers = x.tolist()
    return A.new_tensor([
        sum(p * q for p, q in zip(row, numbers, strict=True)) for row in A.tolist()
    ])  # fmt: skip


def relative_gap(found: Float[Tensor, "*n"], expected: Float[Tensor, "*n"]) -> float:
    """The largest difference, in units of the largest entry."""
    return float((found - expected).abs().max() / expected.abs().max().clamp(min=1e-300))


def fastest(way: Callable[[], Any], tries: int) -> float:
    """The shortest of several times, in seconds: what the machine does besides adds to others."""
    times = []
    for _ in range(tries):
        start = time.perf_counter()
        way()
        times.append(time.perf_counter() - start)
    return max(min(times), 1e-9)  # a clock may stand still for so short a call


def time_row(n: int, seconds: dict[str, float]) -> dict[str, object]:
    """Times in microseconds, and how many calls fit into a loop."""
    row: dict[str, object] = {"entries": n}
    row |= {micros(name): float(f"{1e6 * t:.4g}") for name, t in seconds.items()}
    for name, short in ((LOOP, TENSOR_RATIO), (NUMBERS, "Python loop / call")):
        row[short] = float(f"{seconds[name] / seconds[ONE_CALL]:.3g}")
    return row


def micros(name: str) -> str:
    """The column of a way's times."""
    return f"{name}, µs"


def seconds_figure(rows: list[dict[str, Any]]) -> "Figure":
    """Time by size, for each way: loops are straight, a call first costs its own price."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    sizes = [row["entries"] for row in rows]
    for name, colour, marker in ((LOOP, ACCENT, "o"), (NUMBERS, SECOND, "s"), (ONE_CALL, INK, "^")):
        axes.loglog(sizes, [row[micros(name)] for row in rows], color=colour, marker=marker)
        axes.annotate(name, (sizes[-1], rows[-1][micros(name)]), (-6, 6), color=colour,
                      textcoords="offset points", ha="right", va="bottom")  # fmt: skip
    ratio = rows[-1][TENSOR_RATIO]
    axes.set(
        xlabel="entries", ylabel="µs, the fastest try", title=f"one call is {ratio:g} times as fast"
    )
    axes.margins(y=0.15)
    axes.grid(alpha=0.3)
    return figure
