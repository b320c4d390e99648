"""An experiment on number formats: where softmax and its logarithm break as written (4.5.2)."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.catalog import lab
from freedive.core.figures import ACCENT, INK, SECOND
from freedive.core.hyperparameters import Bounds
from freedive.core.report import Report
from freedive.topics.softmax_regression.scratch import log_softmax, naive_softmax, softmax

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Format = Literal["float16", "bfloat16", "float32", "float64"]
Gap = Annotated[float, Bounds(0, 100)]
Classes = Annotated[int, Bounds(2, 1000, whole=True)]
WAYS: dict[str, Callable[[Tensor], Tensor]] = {
    "log(exp(o) / Σ exp(o))": lambda o: naive_softmax(o).log(),
    "log(softmax(o − max))": lambda o: softmax(o).log(),
    "o − max − log Σ exp(o − max)": log_softmax,
}
COLOURS = dict(zip(WAYS, (ACCENT, SECOND, INK), strict=True))


@lab("softmax-stability", section="4.5.2")
def softmax_stability(format: Format = "float32", gap: Gap = 10.0, classes: Classes = 3) -> Report:
    """Three ways to write one logarithm of a softmax, and the logits at which two of them break.

    Args:
        format: of the numbers.
        gap: how far the first logit lies below the others, which are equal.
        classes: how many logits there are.
    """
    dtype = getattr(torch, format)
    finfo = torch.finfo(dtype)
    overflow, underflow = math.log(finfo.max), math.log(finfo.tiny)
    sizes = scales(overflow, underflow)
    rows = [scale_row(size, gap, classes, dtype) for size in sizes]
    gaps = torch.linspace(0, 1.3 * -underflow, 200, dtype=torch.float64)
    return Report(
        numbers={
            "exp overflows above log(max)": overflow,
            f"the sum of {classes} does above log(max) − log {classes}": overflow
            - math.log(classes),
            "exp loses digits below log(tiny)": underflow,
            "steps between numbers near 1 (ε)": finfo.eps,
        },
        tables={"log softmax of the first logit": rows},
        figures={
            "levels": levels_figure(sizes, gap, classes, dtype),
            "gaps": gaps_figure(gaps, classes, dtype),
        },
        notes=[
            "as written, all logits together must lie between the edges, although only their "
            "differences matter",
            "less the maximum, nothing overflows; a probability that rounds to 0 still has no "
            "logarithm",
            "joined, log and exp cancel before they are computed: exact for any logits",
        ],
    )


def scales(overflow: float, underflow: float) -> list[float]:
    """Levels of the logits on both sides of the edges, and far beyond."""
    near = [overflow - 2, overflow + 2, underflow - 2, 1.3 * underflow]
    return sorted({0.0, *(round(size, 1) for size in near), 1000.0, -1000.0})


def logits_at(
    level: float, gap: float, classes: int, dtype: torch.dtype
) -> Float[Tensor, " classes"]:
    """One logit below the others, which lie at that level."""
    o = torch.full((classes,), level, dtype=torch.float64)
    o[0] -= gap
    return o.to(dtype)


def scale_row(level: float, gap: float, classes: int, dtype: torch.dtype) -> dict[str, Any]:
    """What each way gives at that level, beside the truth for these very numbers."""
    o = logits_at(level, gap, classes, dtype)
    found = {name: written(float(way(o)[0])) for name, way in WAYS.items()}
    return {"the other logits": level, **found, "true": float(o.double().log_softmax(dim=0)[0])}


def written(value: float) -> float | str:
    """A number, or what stands for none."""
    return value if math.isfinite(value) else str(value).replace("nan", "NaN")


def errors(o: Float[Tensor, "n classes"]) -> dict[str, Float[Tensor, " n"]]:
    """How far each way is off in the first logit's logarithm, relative to 1 + its size."""
    true = o.double().log_softmax(dim=-1)[:, 0]
    return {
        name: (way(o).double()[:, 0] - true).abs() / (1 + true.abs()) for name, way in WAYS.items()
    }


def levels_figure(sizes: list[float], gap: float, classes: int, dtype: torch.dtype) -> "Figure":
    """Relative error by the level of all logits: broken ways leave the picture at the top."""
    edge = max(abs(size) for size in sizes if abs(size) < 1000) * 1.25
    levels = torch.linspace(-edge, edge, 400, dtype=torch.float64)
    o = torch.stack([logits_at(float(level), gap, classes, dtype) for level in levels])
    title = f"all logits moved together, one {gap:g} below the others"
    return error_figure(levels, errors(o), "level of the logits", title)


def gaps_figure(gaps: Float[Tensor, " n"], classes: int, dtype: torch.dtype) -> "Figure":
    """Relative error by how far one logit lies below the others."""
    o = torch.stack([logits_at(0.0, float(gap), classes, dtype) for gap in gaps])
    return error_figure(gaps, errors(o), "gap", "one logit below the others, which are 0")


def error_figure(
    x: Float[Tensor, " n"], found: dict[str, Float[Tensor, " n"]], xlabel: str, title: str
) -> "Figure":
    """A line for each way; what is infinite or no number lies on the line at the top."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.subplots()
    top, bottom = 1e2, 1e-18
    for width, (name, error) in zip((5, 3, 1.5), found.items(), strict=True):
        shown = torch.where(error.isfinite(), error.clamp(bottom, top), torch.tensor(top).double())
        axes.semilogy(x, shown, color=COLOURS[name], lw=width, alpha=0.8, label=name)
    axes.axhline(top, color="#9a9a9a", lw=0.8, ls=":")
    axes.text(float(x[0]), top / 2, "∞ or NaN", va="top", color="#6a6a6a", fontsize=9)
    axes.set(xlabel=xlabel, ylabel="relative error", title=title, ylim=(bottom / 2, top * 4))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
