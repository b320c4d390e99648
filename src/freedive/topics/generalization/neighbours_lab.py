"""Nearest neighbours: no training error at all, and what that is worth (section 5.5.2)."""

from typing import TYPE_CHECKING, Annotated

import torch

from freedive.catalog import lab
from freedive.core.errors import UsageError
from freedive.core.figures import ACCENT, INK, SECOND
from freedive.core.hyperparameters import Bounds, Positive, Probability, Whole
from freedive.core.report import Report
from freedive.topics.generalization.neighbours import (
    Metric,
    classify,
    draw_classes,
    limit_error,
    noisy_error,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GREY = "#8a8a8a"
SIZES = (50, 100, 200, 500, 1000, 2000, 4000)
NUM_FRESH = 1000
SIDE = 80  # points of the square, a side, whose regions are drawn


@lab("nearest-neighbours", section="5.5.2")
def nearest_neighbours(
    num_train: Annotated[int, Bounds(2, 2000, whole=True)] = 120,
    k: Annotated[int, Bounds(1, 2000, whole=True)] = 15,
    flip: Probability = 0.2,
    metric: Metric = "euclidean",
    stretch: Positive = 10.0,
    seed: Whole = 0,
) -> Report:
    """Nearest neighbours: the regions of 1 and of k, other metrics, and the error by examples.

    Args:
        num_train: examples that are remembered in the pictures.
        k: neighbours that vote, beside the single one.
        flip: probability that a label is the wrong one.
        metric: euclidean (ℓ₂), manhattan (ℓ₁) or maximum (ℓ∞).
        stretch: how much one feature is stretched in the last picture.
        seed: of the examples.
    """
    if k > num_train:
        raise UsageError(f"k wants at most the {num_train} examples, got {k}: pass a smaller k")
    X, y, _ = draw_classes(num_train, flip, seed)
    fresh, truth, _ = draw_classes(NUM_FRESH, 0, seed, 1)
    rows = []
    for count in sorted(n for n in {1, 3, 5, k, 50} if n <= num_train):
        train = float((classify(X, X, y, count, metric) != y).double().mean())
        test = noisy_error(classify(fresh, X, y, count, metric), truth, flip)
        rows.append({"neighbours": count, "training error": train, "test error": test})
    curves = convergence(flip, k, metric, seed)
    return Report(
        numbers={
            "training error of one neighbour": rows[0]["training error"],
            "test error of one neighbour": rows[0]["test error"],
            f"the same with {SIZES[-1]} examples": curves["one neighbour"][-1],
            "its limit 2ε(1 − ε)": limit_error(flip),
            "least error possible": min(flip, 1 - flip),
        },
        tables={
            "by neighbours": rows,
            "by examples": [
                {"examples": n, **{name: errors[i] for name, errors in curves.items()}}
                for i, n in enumerate(SIZES)
            ],
        },
        figures={
            "regions": regions_figure(X, y, k, metric, stretch),
            "convergence": convergence_figure(curves, flip),
        },
        notes=[
            "One neighbour remembers every example, wrong labels included: its training error is 0 "
            "as long as no two examples lie at one place.",
            "With label noise ε its error tends to 2ε(1 − ε), not to the least possible one; it is "
            "right in the limit only without noise. More neighbours vote the noise down, if they "
            "grow with the examples.",
            "The metric is the inductive bias: the same examples under another one are another "
            "classifier.",
        ],
    )


def convergence(flip: float, k: int, metric: Metric, seed: int) -> dict[str, list[float]]:
    """Test errors by the number of examples: of one neighbour, of k, of √n of them."""
    fresh, truth, _ = draw_classes(NUM_FRESH, 0, seed, 1)
    curves: dict[str, list[float]] = {
        "one neighbour": [],
        f"{k} neighbours": [],
        "√n neighbours": [],
    }
    for stream, n in enumerate(SIZES, start=2):
        X, y, _ = draw_classes(n, flip, seed, stream)
        for errors, count in zip(curves.values(), (1, min(k, n), round(n**0.5)), strict=True):
            errors.append(noisy_error(classify(fresh, X, y, count, metric), truth, flip))
    return curves


def regions_figure(
    X: torch.Tensor, y: torch.Tensor, k: int, metric: Metric, stretch: float
) -> "Figure":
    """What is predicted where: by one and by k, in another metric, with a feature stretched."""
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    along = (torch.arange(SIDE, dtype=torch.float64) + 0.5) / SIDE
    grid = torch.stack(torch.meshgrid(along, along, indexing="xy"), dim=-1).reshape(-1, 2)
    other: Metric = next(m for m in ("manhattan", "maximum") if m != metric)
    views = [
        (f"1 neighbour, {metric}", 1, metric, 1.0),
        (f"{k} neighbours, {metric}", k, metric, 1.0),
        (f"1 neighbour, {other}", 1, other, 1.0),
        (f"1 neighbour, x₁ stretched {stretch:g}×", 1, metric, stretch),
    ]
    figure = Figure(figsize=(13, 3.6), layout="constrained")
    for axes, (title, count, way, factor) in zip(figure.subplots(1, 4), views, strict=True):
        scale = torch.tensor([factor, 1.0], dtype=torch.float64)
        classes = classify(grid * scale, X * scale, y, count, way).reshape(SIDE, SIDE)
        axes.imshow(classes, origin="lower", extent=(0, 1, 0, 1), vmin=0, vmax=1, alpha=0.35,
                    cmap=ListedColormap([INK, ACCENT]))  # fmt: skip
        for label, colour in ((0, INK), (1, ACCENT)):
            axes.plot(*X[y == label].T, "o", color=colour, ms=3)
        wave = 0.5 + 0.25 * torch.sin(2 * torch.pi * along)
        axes.plot(along, wave, color="black", ls="--", lw=1)
        axes.set(xticks=[], yticks=[], xlabel="x₁", ylabel="x₂", xlim=(0, 1), ylim=(0, 1))
        axes.set_title(title, fontsize=10)
    return figure


def convergence_figure(curves: dict[str, list[float]], flip: float) -> "Figure":
    """Errors by the number of examples, with what they tend to."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    for (name, errors), colour in zip(curves.items(), (ACCENT, SECOND, INK), strict=True):
        axes.semilogx(SIZES, errors, "o-", color=colour, ms=4, label=name)
    axes.axhline(limit_error(flip), color=ACCENT, ls=":", label=f"2ε(1 − ε), ε = {flip:g}")
    axes.axhline(min(flip, 1 - flip), color=GREY, ls=":", label="least possible error")
    axes.set(xlabel="examples remembered", ylabel="test error", ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9, loc="upper left", bbox_to_anchor=(1.01, 1))
    return figure
