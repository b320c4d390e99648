"""Pictures of section 2.3: a row times a column, sums that keep their axis, and norms."""

import math
from typing import TYPE_CHECKING

import torch
from jaxtyping import Shaped
from torch import Tensor

from freedive.core.figures import ACCENT, INK, SECOND
from freedive.topics.tensors.drawing import Place, draw_matrix
from freedive.topics.tensors.linear_algebra import norm, product_steps, shares

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Matrix = Shaped[Tensor, "rows columns"]


def product_figure(
    A: Shaped[Tensor, "rows inner"],
    B: Shaped[Tensor, "inner width"],
    C: Shaped[Tensor, "rows width"],
    place: Place,
) -> "Figure":
    """A beside its product, B above it: the marked row and column meet in the marked entry."""
    from matplotlib.figure import Figure

    (rows, inner), width = A.shape, B.shape[1]
    i, j = place
    scale = min(0.55, 10 / max(inner + width + 2, rows + inner + 3))
    across = max(inner + 1.4 + width, 6)
    figure = Figure(figsize=(scale * across + 0.5, scale * (inner + rows + 3.2)),
                    layout="constrained")  # fmt: skip
    axes = figure.subplots()
    left, top = inner + 1.4, inner + 1.2
    draw_matrix(axes, A, (0, top), marked={(i, k) for k in range(inner)}, colour=INK)
    draw_matrix(axes, B, (left, 0), marked={(k, j) for k in range(inner)}, colour=ACCENT)
    draw_matrix(axes, C, (left, top), marked={place}, colour=SECOND)
    for text, x, y, colour in (
        ("A", inner / 2, top - 0.2, INK),
        ("B", left + width / 2, -0.2, ACCENT),
        ("AB", left + width / 2, top - 0.2, SECOND),
    ):
        axes.text(x, y, text, ha="center", va="bottom", color=colour, fontsize=11)
    axes.set(xlim=(-0.2, across + 0.2), ylim=(top + rows + 0.2, -1.0), aspect="equal")
    axes.axis("off")
    steps = product_steps(A[i], B[:, j])
    figure.supxlabel(f"row {i} of A times column {j} of B:\n{steps}", fontsize=9.5)
    return figure


def reductions_figure(A: Matrix) -> "Figure":
    """A with its sums along either axis, both kept; beside it, each entry's share of its row."""
    from matplotlib.figure import Figure

    rows, columns = A.shape
    kept, across = A.sum(dim=1, keepdim=True), A.sum(dim=0, keepdim=True)
    width = 2 * columns + 7
    scale = min(0.55, 13 / width)
    figure = Figure(figsize=(scale * width + 0.3, scale * (rows + 4) + 0.2), layout="constrained")
    axes = figure.subplots()
    draw_matrix(axes, A)
    draw_matrix(axes, across, (0, rows + 1.2), marked={(0, j) for j in range(columns)}, colour=INK)
    draw_matrix(axes, kept, (columns + 1.2, 0), marked={(i, 0) for i in range(rows)})
    right = columns + 5.0
    draw_matrix(axes, shares(A), (right, 0))
    for text, x, y, colour in (
        ("A", columns / 2, -0.2, "black"),
        ("sum(dim=1,\nkeepdim=True)", columns + 1.7, -0.2, ACCENT),
        ("A / its kept sums: rows sum to 1", right + columns / 2, -0.2, "black"),
        ("sum(dim=0, keepdim=True)", columns / 2, rows + 1.0, INK),
    ):
        axes.text(x, y, text, ha="center", va="bottom", color=colour, fontsize=9)
    axes.set(xlim=(-1.2, width - 0.6), ylim=(rows + 2.4, -1.5), aspect="equal")
    axes.axis("off")
    return figure


def norms_figure(x: Shaped[Tensor, "2"], p: float) -> "Figure":
    """All vectors as long as x by its 1-, 2-, p- and largest-entry norm."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.2, 5.2), layout="constrained")
    axes = figure.subplots()
    orders = {1.0: (INK, "-"), 2.0: (SECOND, "-"), math.inf: ("#8a8a8a", "-")}
    for order, (colour, style) in {p: ("#e09f3e", "--"), **orders}.items():
        ring = unit_ring(order) * norm(x, order)
        name = "∞" if math.isinf(order) else f"{order:g}"
        axes.plot(ring[:, 0], ring[:, 1], style, color=colour, lw=1.8,
                  label=f"‖x‖ with p = {name}: {norm(x, order):.4g}")  # fmt: skip
    draw_arrow(axes, x)
    reach = 1.15 * norm(x, 1) or 1.0
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="x₁", ylabel="x₂")
    axes.set_title("equally long vectors, by four norms", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=9, frameon=False)
    return figure


def unit_ring(p: float) -> Shaped[Tensor, "points 2"]:
    """Points whose p-norm is 1, once around."""
    angles = torch.linspace(0, 2 * math.pi, 361, dtype=torch.float64)
    points = torch.stack([angles.cos(), angles.sin()], dim=1)
    return points / torch.tensor([[norm(point, p)] for point in points], dtype=torch.float64)


def draw_arrow(axes: "Axes", x: Shaped[Tensor, "2"]) -> None:
    """A vector from the origin."""
    axes.annotate("", xy=(float(x[0]), float(x[1])), xytext=(0, 0),
                  arrowprops={"arrowstyle": "-|>", "color": ACCENT, "lw": 2})  # fmt: skip
    axes.text(float(x[0]) / 2, float(x[1]) / 2, "  x", color=ACCENT, fontsize=12)
