"""An experiment with kernels, widths, and a width that is learnt (section 11.2)."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from freedive.catalog import lab
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Bounds, Whole
from freedive.core.random import generator
from freedive.core.report import Report
from freedive.topics.attention import kernel_figures as figures
from freedive.topics.attention.kernel_figures import Fit, Landscape, Scene
from freedive.topics.attention.kernels import (
    KERNELS,
    Kernel,
    constant,
    gaussian,
    nadaraya_watson,
    triangular,
)
from freedive.topics.attention.parametric import KernelRegression, Learning, learn_width

Row = dict[str, Any]
KernelName = Literal["gaussian", "boxcar", "constant", "triangular", "epanechnikov"]
WIDTH, MOST_WIDTHS = Bounds(0.01, 100), 6
END, NUM_QUERIES = 5.0, 101  # keys and queries lie from 0 to END
LR = 0.1
NOTES = [
    "A wider kernel averages over more keys: the estimate is smoother, knows less of what is "
    "near, and in the end is the mean of all values, as the constant kernel's is everywhere.",
    "Where no key lies within the width, a kernel with an end has nothing to attend to: its "
    "weights are 0, the line is broken, and the errors in the tables leave such queries out. The "
    "Gaussian's nearest key always counts.",
    "Widths of different kernels are not of one size: at equal σ the Gaussian reaches further.",
    "An error at the measured points themselves cannot choose the width: each point explains "
    "itself best, and the width shrinks. With each left out, what is learnt foretells.",
    "Pooling covers both ends: where only one key matches it is a lookup, where all count the "
    "same it is a mean, and in between it stays in the convex hull of the values.",
]


@lab("kernel-regression", section="11.2")
def kernel_regression(
    kernel: KernelName = "gaussian",
    width: Annotated[float, Bounds(0.01, 100)] = 1.0,
    widths: tuple[float, ...] = (0.1, 0.2, 0.5, 1.0),
    noise: Annotated[float, Bounds(0, 100)] = 0.5,
    num_points: Annotated[int, Bounds(2, 200, whole=True)] = 40,
    steps: Annotated[int, Bounds(1, 300, whole=True)] = 100,
    seed: Whole = 0,
) -> Report:
    """Nadaraya–Watson: what each kernel and each width makes of noisy data, and a width learnt.

    Args:
        kernel: the one that is drawn at several widths.
        width: σ of all kernels side by side, and where the learning of the Gaussian's begins.
        widths: 1 to 6 numbers from 0.01 to 100, for the kernel that is drawn at several.
        noise: standard deviation of what is added to 2 sin x + x.
        num_points: how many points are measured.
        steps: of Adam on the logarithm of the width.
        seed: of the data.
    """
    check_widths(widths)
    scene = drawn(num_points, noise, seed)
    by_kernel = {name: fitted(scene, chosen, width) for name, chosen in KERNELS.items()}
    by_width = {f"σ = {w:g}": fitted(scene, KERNELS[kernel], w) for w in sorted(set(widths))}
    left_out, training = learnt(scene, width, steps)
    landscape = both_errors(scene, [*left_out.widths, *training.widths])
    by_learning = {
        f"{title}: σ = {found:.3g}": fitted(scene, gaussian, found)
        for title, found in (
            ("first", width),
            ("learnt", left_out.widths[-1]),
            ("none left out", training.widths[-1]),
        )
    }
    pooled, ends = pooling(seed)
    return Report(
        numbers={**learning_numbers(landscape, left_out, training), **ends},
        tables={
            f"kernels at σ = {width:g}": rows("kernel", by_kernel, scene),
            f"the {kernel} kernel by width": rows("width", by_width, scene),
            "the Gaussian's width, learnt": rows("width", by_learning, scene),
        },
        figures={
            "kernels": figures.kernels_figure(),
            "fits": figures.fits_figure(scene, by_kernel),
            "widths": figures.fits_figure(scene, by_width),
            "learning": figures.learning_figure(landscape, left_out, training),
            "learnt": figures.fits_figure(scene, by_learning),
            "pooling": pooled,
        },
        notes=list(NOTES),
    )


def check_widths(widths: Sequence[float]) -> None:
    """Raise `UsageError` for none, too many, or one out of bounds."""
    if not 1 <= len(widths) <= MOST_WIDTHS or any(width not in WIDTH for width in widths):
        given = ", ".join(f"{width:g}" for width in widths) or "none"
        raise UsageError(
            f"widths wants 1 to {MOST_WIDTHS} numbers from {WIDTH.low:g} to {WIDTH.high:g}, "
            f"got {given}"
        )


def truth(x: Tensor) -> Tensor:
    """2 sin x + x: steep, then flat, then steep again."""
    return 2 * x.sin() + x


def drawn(num_points: int, noise: float, seed: int) -> Scene:
    """Keys drawn evenly from 0 to END, in order, and noisy values at them."""
    chance = generator(seed)
    keys = (END * torch.rand(num_points, generator=chance, dtype=torch.float64)).sort().values
    values = truth(keys) + noise * torch.randn(num_points, generator=chance, dtype=torch.float64)
    queries = torch.linspace(0, END, NUM_QUERIES, dtype=torch.float64)
    return Scene(keys, values, queries, truth(queries))


def fitted(scene: Scene, kernel: Kernel, width: float) -> Fit:
    """Kernel regression at a scene's queries."""
    return Fit(*nadaraya_watson(scene.queries, scene.keys, scene.values, kernel, width))


def total_variation(estimate: Tensor) -> float:
    """How far a curve goes up and down in all, as a measure of its roughness."""
    return float(estimate.diff().abs().sum())


def keys_that_count(weights: Tensor) -> Tensor:
    """1/Σw² for each query: m for m equal weights, 1 where a single one is not 0."""
    return 1 / weights.square().sum(dim=-1)


def rows(what: str, fits: Mapping[str, Fit], scene: Scene) -> list[Row]:
    """How good, rough and local fits are, over the queries that have something to attend to."""
    table = []
    for name, fit in fits.items():
        met = ~fit.empty
        estimate, any_met = fit.estimate[met], bool(met.any())
        error = float((estimate - scene.truth[met]).square().mean())
        counting = float(keys_that_count(fit.weights[met]).mean())
        table.append(
            {
                what: name,
                "error": error if any_met else None,
                "total variation": total_variation(estimate) if any_met else None,
                "keys that count": counting if any_met else None,
                "queries without a key": int(fit.empty.sum()),
            }
        )
    return table


def learnt(scene: Scene, width: float, steps: int) -> tuple[Learning, Learning]:
    """A Gaussian's width learnt twice, with each point left out of its estimate and with none."""
    models = [KernelRegression(scene.keys, scene.values, width) for _ in range(2)]
    return (
        learn_width(models[0], steps, LR, "leave-one-out"),
        learn_width(models[1], steps, LR, "training"),
    )


@torch.no_grad()
def both_errors(scene: Scene, seen: Sequence[float]) -> Landscape:
    """The errors over a grid of widths that holds the usual ones and all that were seen."""
    low, high = math.log10(min(0.02, *seen)), math.log10(max(5.0, *seen))
    grid = torch.logspace(low, high, 120, dtype=torch.float64)
    models = [KernelRegression(scene.keys, scene.values, width) for width in grid.tolist()]
    losses = [[model.loss(kind) for model in models] for kind in ("leave-one-out", "training")]
    return Landscape(grid, *(torch.stack(found) for found in losses))


def learning_numbers(
    landscape: Landscape, left_out: Learning, training: Learning
) -> dict[str, float]:
    """Where learning ended, and where a search would have."""
    return {
        "width, learnt": left_out.widths[-1],
        "width, best of a grid": float(landscape.widths[landscape.left_out.argmin()]),
        "width, none left out": training.widths[-1],
        "error of the points left out, first": left_out.losses[0],
        "error of the points left out, learnt": left_out.losses[-1],
    }


def pooling(seed: int) -> tuple[Any, dict[str, float]]:
    """Ten keys in a row, each with a point of the plane as its value, asked for by every key."""
    keys = torch.arange(10, dtype=torch.float64)
    values = torch.randn(10, 2, generator=generator(seed, 1), dtype=torch.float64)
    kinds = {
        "exact match": nadaraya_watson(keys, keys, values, triangular, 1.0),
        "Gaussian, σ = 1": nadaraya_watson(keys, keys, values, gaussian, 1.0),
        "uniform": nadaraya_watson(keys, keys, values, constant, 1.0),
    }
    widths = torch.logspace(-1, 2, 200, dtype=torch.float64).tolist()
    path = [nadaraya_watson(keys[2:3], keys, values, gaussian, width)[0] for width in widths]
    shown = {title: weights for title, (_, weights) in kinds.items()}
    numbers = {
        "exact match, off the key's own value by": away(kinds["exact match"][0], values),
        "uniform, off the mean by": away(kinds["uniform"][0], values.mean(dim=0)),
    }
    return figures.pooling_figure(shown, values, torch.cat(path)), numbers


def away(found: Tensor, expected: Tensor) -> float:
    """The largest difference."""
    return float((found - expected).abs().max())
