"""An experiment on expectation and variance, and on bounds for two events (section 2.6.6)."""

import math
from typing import TYPE_CHECKING, Annotated, Any

import torch
from torch import Tensor

from freedive.catalog import lab
from freedive.core.figures import ACCENT, INK, SECOND
from freedive.core.hyperparameters import Bounds, Probability, Whole
from freedive.core.random import generator
from freedive.core.report import Report
from freedive.topics.probability.distribution import draw, intersection_bounds, union_bounds
from freedive.topics.probability.moments import (
    RandomNumber,
    chebyshev,
    random_number,
    variance_from_squares,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draws = Annotated[int, Bounds(10, 1_000_000, whole=True)]
MAPS = {
    "X": lambda x: x,
    "2X + 1": lambda x: 2 * x + 1,
    "X²": torch.square,
    "√|X|": lambda x: x.abs().sqrt(),
}


@lab("moments", section="2.6.6")
def moments(
    values: tuple[float, ...] = (0.0, 2.0, 10.0),
    probabilities: tuple[float, ...] = (0.5, 0.4, 0.1),
    draws: Draws = 20_000,
    p_a: Probability = 0.7,
    p_b: Probability = 0.6,
    seed: Whole = 0,
) -> Report:
    """What an investment returns on average, how far it scatters, and what two events allow.

    Args:
        values: what the random number may be; the book's returns of an investment.
        probabilities: of each value.
        draws: how often it is drawn, to compare.
        p_a: P(A), of an event A.
        p_b: P(B), of an event B of which nothing else is known.
        seed: of the draws.
    """
    X = random_number(values, probabilities)
    mean, deviation = X.expectation(), X.deviation()
    sample = X.values[draw(X.P, (draws,), generator(seed))]
    both, either = intersection_bounds(p_a, p_b), union_bounds(p_a, p_b)
    return Report(
        numbers={
            "E[X]": mean,
            "Var[X]": X.variance(),
            "E[X²] − E[X]²": variance_from_squares(X),
            "standard deviation": deviation,
            "mean of the draws": float(sample.mean()),
            "its distance in standard errors": standard_errors(sample, mean, deviation),
            "variance of the draws": float(sample.var(correction=0)),
            "P(A ∩ B)": f"{both[0]:.4g} to {both[1]:.4g}",
            "P(A ∪ B)": f"{either[0]:.4g} to {either[1]:.4g}",
        },
        tables={
            "by hand": steps(X),
            "functions of X": function_rows(X),
            "how much lies far from the mean": [
                {"k": k, "P(|X − E[X]| ≥ kσ)": X.outside(k * deviation) if deviation else 0.0,
                 "Chebyshev: at most 1/k²": chebyshev(k)}
                for k in (1.0, 1.5, 2.0, 3.0)
            ],
        },
        figures={
            "moments": moments_figure(X, sample),
            "bounds": bounds_figure(p_a, p_b),
        },
        notes=[
            "The variance is in squared units; its root, the standard deviation, is in those of X.",
            "E[f(X)] is f(E[X]) for straight f only; Var[aX + b] = a² Var[X].",
            "P(A) and P(B) alone leave P(A ∩ B) and P(A ∪ B) a range whose ends are both reached.",
        ],
    )  # fmt: skip


def standard_errors(sample: Tensor, mean: float, deviation: float) -> float:
    """How far the sample's mean is from the mean, in its own standard deviations σ/√n."""
    error = deviation / math.sqrt(len(sample))
    return float(sample.mean() - mean) / error if error else 0.0


def steps(X: RandomNumber) -> list[dict[str, Any]]:
    """The two sums with their numbers."""
    mean = X.expectation()
    pairs = list(zip(X.values.tolist(), X.P.tolist(), strict=True))
    return [
        {
            "of": "E[X]",
            "steps": " + ".join(f"{p:.4g}·{bracketed(x)}" for x, p in pairs),
            "value": f"{mean:.6g}",
        },
        {
            "of": "E[X²]",
            "steps": " + ".join(f"{p:.4g}·{bracketed(x)}²" for x, p in pairs),
            "value": f"{X.expectation(torch.square):.6g}",
        },
        {
            "of": "Var[X]",
            "steps": " + ".join(f"{p:.4g}·({x:.4g} − {bracketed(mean)})²" for x, p in pairs),
            "value": f"{X.variance():.6g}",
        },
    ]


def bracketed(x: float) -> str:
    """A number behind a sign: a negative one in brackets."""
    return f"({x:.4g})" if x < 0 else f"{x:.4g}"


def function_rows(X: RandomNumber) -> list[dict[str, Any]]:
    """Expectation and variance of functions of X, and what they are not."""
    mean = torch.tensor(X.expectation(), dtype=torch.float64)
    return [
        {"f(X)": name, "E[f(X)]": X.expectation(f), "f(E[X])": float(f(mean)),
         "Var[f(X)]": X.variance(f)}
        for name, f in MAPS.items()
    ]  # fmt: skip


def moments_figure(X: RandomNumber, sample: Tensor) -> "Figure":
    """The distribution with its mean and deviation; the running mean inside σ/√n."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    mean, deviation = X.expectation(), X.deviation()
    left.axvspan(mean - deviation, mean + deviation, color=SECOND, alpha=0.2, lw=0,
                 label=f"one deviation, {deviation:.4g}, either side")  # fmt: skip
    left.vlines(X.values, 0, X.P, color=INK, lw=6)
    left.axvline(mean, color=ACCENT, label=f"E[X] = {mean:.4g}")
    left.set(xlabel="x", ylabel="P(X = x)", ylim=(0, 1.35 * float(X.P.max())))
    left.legend(fontsize=9, loc="upper right")
    spots = torch.logspace(0, math.log10(len(sample)), 500).round().long().unique()
    running = sample.cumsum(dim=0)[spots - 1] / spots
    band = 1.96 * deviation / spots.sqrt()
    right.fill_between(spots, mean - band, mean + band, color=SECOND, alpha=0.25, lw=0,
                       label="E[X] ± 1.96 σ/√n")  # fmt: skip
    right.plot(spots, running, color=INK, lw=1, label="mean of the first n draws")
    right.axhline(mean, color=ACCENT, ls="--", lw=1)
    right.set(xscale="log", xlabel="draws n", ylabel="mean")
    right.legend(fontsize=9, loc="upper right")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return figure


def bounds_figure(p: float, q: float) -> "Figure":
    """A and B as pieces of [0, 1], as far apart and as much over each other as can be."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 2.9), layout="constrained")
    for axes, start, title in zip(
        figure.subplots(1, 2),
        (1 - q, 0.0),
        ("as far apart as can be", "over each other as can be"),
        strict=True,
    ):
        pieces = {"A": (0.0, p, INK), "B": (start, q, ACCENT)}
        both = (start, max(0.0, p - start), SECOND) if start else (0.0, min(p, q), SECOND)
        pieces |= {"A ∩ B": both}
        for i, (name, (left, length, colour)) in enumerate(pieces.items()):
            axes.barh(i, length, left=left, height=0.62, color=colour)
            axes.text(1.02, i, f"P({name}) = {length:.4g}", va="center", fontsize=9, color=colour)
        for left, length, _ in pieces.values():
            axes.barh(3, length, left=left, height=0.62, color="#8a8a8a")
        axes.text(1.02, 3, f"P(A ∪ B) = {p + q - both[1]:.4g}", va="center", fontsize=9)
        axes.set(xlim=(0, 1), ylim=(3.6, -0.6), title=title)
        axes.set_yticks(range(4), ["A", "B", "A ∩ B", "A ∪ B"])
        axes.set_xlabel("all that can happen, of measure 1")
    return figure
