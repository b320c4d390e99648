"""An experiment on noise: which loss is its likelihood, and what outliers do (section 3.1.3)."""

import math
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.catalog import lab
from freedive.core.errors import UsageError
from freedive.core.figures import ACCENT, INK, SECOND
from freedive.core.hyperparameters import Bounds, Positive, Whole
from freedive.core.random import generator
from freedive.core.report import Report
from freedive.topics.linear_regression.noise import (
    best_slope,
    laplace_density,
    laplace_negative_log_likelihood,
)
from freedive.topics.linear_regression.scratch import (
    Criterion,
    gaussian_negative_log_likelihood,
    normal_density,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Noise = Literal["gaussian", "laplace"]
Examples = Annotated[int, Bounds(2, 10_000, whole=True)]
SLOPE = 2.0  # of the law y = 2x + noise
COLOURS = {"squared": INK, "huber": SECOND, "absolute": ACCENT}
SPOILT = 8.0  # how far an outlier lies from the law


@lab("gaussian-noise", section="3.1.3")
def gaussian_noise(
    noise: Noise = "gaussian",
    sigma: Positive = 0.5,
    examples: Examples = 60,
    outliers: Whole = 4,
    delta: Positive = 1.0,
    seed: Whole = 0,
) -> Report:
    """Squared loss is the likelihood of Gaussian noise: one slope, whatever its σ; and outliers.

    Args:
        noise: of the law y = 2x + noise.
        sigma: standard deviation of the noise.
        examples: how many are drawn.
        outliers: how many of them are spoilt for the second half of the table.
        delta: the error from which on Huber's loss grows evenly.
        seed: of the draws.
    """
    if outliers > examples:
        raise UsageError(
            f"outliers wants at most the number of examples, {examples}, got {outliers}: "
            "pass fewer outliers or more examples"
        )
    x, clean = draw(noise, sigma, examples, seed)
    spoilt = clean.clone()
    last = x.argsort(descending=True)[:outliers]
    spoilt[last] -= SPOILT
    fits = {name: (best_slope(x, clean, name, delta), best_slope(x, spoilt, name, delta))
            for name in get_args(Criterion)}  # fmt: skip
    slopes = likelihood_slopes(x, clean, sigma)
    squared = fits["squared"][0]
    return Report(
        numbers={
            "slope of the law": SLOPE,
            "least squares": squared,
            "most likely under Gaussian noise, σ/2, σ, 2σ": slopes[:3],
            "most likely under Laplace noise": slopes[3],
            "least absolute error": fits["absolute"][0],
            "−log P per example": float(
                gaussian_negative_log_likelihood(squared * x, clean, sigma) / examples
            ),
        },
        tables={
            "slopes by loss": [
                {"loss": name, "of the examples": a, f"with {outliers} outliers": b, "moved by":
                 b - a} for name, (a, b) in fits.items()
            ]
        },
        figures={
            "fits": fits_figure(x, clean, spoilt, last, fits),
            "likelihoods": likelihoods_figure(x, clean, sigma, fits),
            "densities": densities_figure(),
        },
        notes=[
            "−log P under Gaussian noise is the squared loss over σ², plus what no slope changes",
            "under Laplace noise it is the absolute loss: its best slope is a weighted median",
            "an outlier pulls a squared fit by its distance, Huber's by δ, an absolute one by 1",
        ],
    )  # fmt: skip


def draw(noise: Noise, sigma: float, n: int, seed: int) -> tuple[Tensor, Tensor]:
    """x uniform in (0, 3), and y = 2x plus noise of that standard deviation."""
    chance = generator(seed)
    x = 3 * torch.rand(n, generator=chance, dtype=torch.float64)
    if noise == "gaussian":
        e = sigma * torch.randn(n, generator=chance, dtype=torch.float64)
    else:
        u = torch.rand(n, generator=chance, dtype=torch.float64) - 0.5
        # b = σ/√2, for the variance of Laplace noise is 2b²
        e = -sigma / math.sqrt(2) * u.sign() * torch.log1p(-2 * u.abs())
    return x, SLOPE * x + e


def likelihood_slopes(
    x: Float[Tensor, " n"], y: Float[Tensor, " n"], sigma: float, steps: int = 200
) -> list[float]:
    """Where −log P is least: Gaussian noise of σ/2, σ, 2σ, then Laplace noise; by bisection."""
    found = []
    for scale in (sigma / 2, sigma, 2 * sigma, None):

        def slope_of_loss(w: float, scale: float | None = scale) -> float:
            at = torch.tensor(w, dtype=torch.float64, requires_grad=True)
            if scale is None:
                loss = laplace_negative_log_likelihood(at * x, y, sigma / math.sqrt(2))
            else:
                loss = gaussian_negative_log_likelihood(at * x, y, scale)
            return float(torch.autograd.grad(loss, at)[0])

        low, high = -1e3, 1e3
        for _ in range(steps):
            middle = (low + high) / 2
            low, high = (middle, high) if slope_of_loss(middle) < 0 else (low, middle)
        found.append((low + high) / 2)
    return found


def fits_figure(
    x: Tensor, y: Tensor, spoilt: Tensor, last: Tensor, fits: dict[Criterion, tuple[float, float]]
) -> "Figure":
    """The examples, the spoilt ones, and the line of each loss without and with them."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    ends = torch.tensor([0.0, 3.0], dtype=torch.float64)
    for column, (axes, points) in enumerate(zip(figure.subplots(1, 2, sharey=True), (y, spoilt),
                                                strict=True)):  # fmt: skip
        axes.plot(x, points, ".", color="#9a9a9a", ms=6, label="examples")
        if column:
            axes.plot(x[last], points[last], "x", color="black", ms=7, label="outliers")
        for (name, slopes), style in zip(fits.items(), ("-", "--", ":"), strict=True):
            axes.plot(ends, slopes[column] * ends, style, color=COLOURS[name], lw=2,
                      label=f"{name}, slope {slopes[column]:.3f}")  # fmt: skip
        axes.set(xlabel="x", title="with outliers" if column else "as drawn")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=9, loc="upper left")
    figure.axes[0].set_ylabel("y")
    return figure


def likelihoods_figure(
    x: Tensor, y: Tensor, sigma: float, fits: dict[Criterion, tuple[float, float]]
) -> "Figure":
    """−log P by slope, above its least value: sharper for a small σ, in the same place."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    best, n = fits["squared"][0], len(x)
    reach = 3 * sigma / float(x.square().mean().sqrt())
    slopes = torch.linspace(best - reach, best + reach, 301, dtype=torch.float64)
    for scale, style in ((sigma / 2, ":"), (sigma, "-"), (2 * sigma, "--")):
        curve = torch.stack([gaussian_negative_log_likelihood(w * x, y, scale) for w in slopes]) / n
        axes.plot(slopes, curve - curve.min(), style, color=INK, label=f"Gaussian, σ = {scale:g}")
    b = sigma / math.sqrt(2)
    curve = torch.stack([laplace_negative_log_likelihood(w * x, y, b) for w in slopes]) / n
    axes.plot(slopes, curve - curve.min(), color=ACCENT, label=f"Laplace, σ = {sigma:g}")
    axes.axvline(best, color=INK, lw=0.8, alpha=0.6)
    axes.axvline(fits["absolute"][0], color=ACCENT, lw=0.8, alpha=0.6)
    axes.set(xlabel="slope w", ylabel="−log P per example, above its least", ylim=(0, 4))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9, loc="upper center")
    return figure


def densities_figure() -> "Figure":
    """Normal densities of several means and deviations, and a Laplace density beside one."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    z = torch.linspace(-7, 7, 561, dtype=torch.float64)
    for (mu, sigma), colour in (((0, 1), INK), ((0, 2), SECOND), ((3, 1), ACCENT)):
        left.plot(z, normal_density(z, mu, sigma), color=colour, label=f"μ = {mu}, σ = {sigma}")
    left.set(xlabel="x", ylabel="density", title="normal: μ shifts, σ flattens")
    right.semilogy(z, normal_density(z, 0, 1), color=INK, lw=2, label="normal")
    right.semilogy(z, laplace_density(z, 0, 1 / math.sqrt(2)), color=ACCENT, lw=2, label="Laplace")
    right.set(xlabel="x", title="both with σ = 1: Laplace noise has heavier tails",
              ylim=(1e-7, 2))  # fmt: skip
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    return figure
