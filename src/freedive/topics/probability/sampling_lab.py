"""An experiment on the law of large numbers: dice and coins, thrown often (section 2.6.1)."""

import math
from typing import TYPE_CHECKING, Annotated, Any

import torch
from torch import Tensor

from freedive.catalog import lab
from freedive.core.errors import UsageError
from freedive.core.figures import ACCENT, INK, SECOND
from freedive.core.hyperparameters import Bounds, Whole
from freedive.core.random import generator
from freedive.core.report import Report
from freedive.topics.probability import distribution as dist

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Faces = Annotated[int, Bounds(2, 12, whole=True)]
Draws = Annotated[int, Bounds(10, 100_000, whole=True)]
Groups = Annotated[int, Bounds(10, 10_000, whole=True)]
MOST = 20_000_000  # draws in all, which take some seconds
NORMAL_95 = 1.959964


@lab("law-of-large-numbers", section="2.6.1")
def law_of_large_numbers(
    faces: Faces = 6,
    probabilities: tuple[float, ...] = (),
    draws: Draws = 5000,
    groups: Groups = 300,
    seed: Whole = 0,
) -> Report:
    """Frequencies go to probabilities: a die thrown often, and how fast the band narrows.

    Args:
        faces: of a fair die; 2 is a coin.
        probabilities: of each face in place of a fair die, such as 0.7 0.3.
        draws: n, throws in each group.
        groups: m, people who throw as many times, each for himself.
        seed: of all throws.
    """
    if draws * groups > MOST:
        raise UsageError(f"draws times groups is {draws * groups:,}, more than {MOST:,}: "
                         "lower one of them")  # fmt: skip
    P = dist.distribution(probabilities) if probabilities else dist.uniform(faces)
    thrown = dist.draw(P, (groups, draws), generator(seed))
    first = torch.stack([dist.running_frequencies(thrown[:1], k)[0] for k in range(len(P))])
    watched = int(P.argmax())
    p = float(P[watched])
    errors = dist.running_frequencies(thrown, watched) - p
    rows = error_rows(errors, p)
    pooled = torch.bincount(thrown.flatten(), minlength=len(P)) / thrown.numel()
    return Report(
        numbers={
            "throws in all": thrown.numel(),
            f"frequency of face {watched + 1}, all throws": float(pooled[watched]),
            "its probability": p,
            "its standard deviation by formula": dist.frequency_deviation(p, thrown.numel()),
            "slope of the error, log by log": slope(rows),
        },
        tables={
            "all groups together": [
                {"face": k + 1, "probability": float(P[k]), "frequency": float(pooled[k]),
                 "sd by formula": dist.frequency_deviation(float(P[k]), thrown.numel())}
                for k in range(len(P))
            ],
            f"frequency of face {watched + 1}, by throws": rows,
        },
        figures={"convergence": convergence_figure(first, P, rows, errors[:40], watched)},
        notes=[
            f"The error falls as 1/√n: its slope is {slope(rows):.2f}, and four times the throws "
            "halve it.",
            "From some thirty throws on, about 95 of 100 groups lie inside the band.",
            "The error of the count, not of the share, grows: as √n.",
        ],
    )  # fmt: skip


def error_rows(errors: Tensor, p: float) -> list[dict[str, Any]]:
    """How far frequencies are from p over all groups, at ever larger n."""
    draws = errors.shape[1]
    steps = sorted({round(10 ** (e / 4)) for e in range(1 + math.floor(4 * math.log10(draws)))})
    rows = []
    for n in steps:
        at, sd = errors[:, n - 1], dist.frequency_deviation(p, n)
        inside = (at.abs() <= NORMAL_95 * sd).to(torch.float64)
        rows.append({
            "n": n,
            "error (root mean square)": float((at**2).mean().sqrt()),
            "√(p(1−p)/n)": sd,
            "inside the band": float(inside.mean()),
        })  # fmt: skip
    return rows


def slope(rows: list[dict[str, Any]]) -> float:
    """The least-squares slope of log error over log n; −½ is 1/√n; NaN for a certain outcome."""
    points = [(row["n"], row["error (root mean square)"]) for row in rows]
    if any(error <= 0 for _, error in points):
        return math.nan
    x, y = torch.tensor(points, dtype=torch.float64).log().T
    x = x - x.mean()
    return float((x * y).sum() / (x * x).sum())


def convergence_figure(
    first: Tensor, P: Tensor, rows: list[dict[str, Any]], errors: Tensor, watched: int
) -> "Figure":
    """One group's frequencies; many groups inside the band; the error over n, both logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.2), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    spots = torch.logspace(0, math.log10(first.shape[1]), 500).round().long().unique()
    n, first, errors = spots, first[:, spots - 1], errors[:, spots - 1]
    band = NORMAL_95 * torch.sqrt(P[watched] * (1 - P[watched]) / n)
    for k, line in enumerate(first):
        left.plot(n, line, lw=1, color=f"C{k % 10}", label=f"face {k + 1}")
    for p in P.unique():
        left.axhline(float(p), color="black", ls="--", lw=0.9)
    left.set(xscale="log", xlabel="throws n", ylabel="share of throws", ylim=(0, 1.02))
    left.set_title("one group: shares go to the probabilities, dashed", fontsize=10)
    left.legend(fontsize=8, ncols=2, loc="upper right")
    middle.fill_between(n, -band, band, color=SECOND, alpha=0.25, lw=0, label="±1.96 √(p(1−p)/n)")
    for i, line in enumerate(errors):
        label = f"{len(errors)} groups" if i == 0 else None
        middle.plot(n, line, color=INK, lw=0.5, alpha=0.5, label=label)
    reach = 2 * float(band[n >= min(10, int(n[-1]) // 2)][0]) or 0.1
    middle.set(xscale="log", xlim=(min(10, int(n[-1]) // 2), int(n[-1])), ylim=(-reach, reach))
    middle.set(xlabel="throws n", ylabel="share minus probability")
    middle.set_title(f"face {watched + 1}: 95 % of groups inside the band", fontsize=10)
    middle.legend(fontsize=8, loc="upper right")
    x = [row["n"] for row in rows]
    found = [row["error (root mean square)"] for row in rows]
    right.plot(x, [row["√(p(1−p)/n)"] for row in rows], color=SECOND, lw=2, label="√(p(1−p)/n)")
    right.plot(x, found, "o", color=ACCENT, ms=5, label="measured over the groups")
    if all(error > 0 for error in found):
        right.set(xscale="log", yscale="log")
    right.set(xlabel="throws n", ylabel="error, root mean square")
    right.set_title("a straight line of slope −½", fontsize=10)
    right.legend(fontsize=8)
    for axes in (left, middle, right):
        axes.grid(alpha=0.3)
    return figure
