"""Pictures of test errors: histograms behind a bound, tails, many tests, many looks (4.6)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from freedive.core.figures import ACCENT, INK, SECOND
from freedive.topics.generalization.adaptive import Chosen
from freedive.topics.generalization.bounds import (
    binomial_tail,
    bonferroni,
    family_error,
    hoeffding_bound,
    normal_tail,
    standard_error,
)
from freedive.topics.linear_regression.scratch import normal_density

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GREY = "#8a8a8a"


def histograms_figure(drawn: Mapping[int, Tensor], margin: float, error: float) -> "Figure":
    """Test errors of many test sets of one size; the margin, and the share that lies outside."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.9 * len(drawn), 3.4), layout="constrained")
    reach = max(3.2 * standard_error(max(100, min(drawn)), error), 2 * margin)
    low, high = max(error - reach, -0.01), min(error + reach, 1.01)
    for axes, (n, errors) in zip(figure.subplots(1, len(drawn)), drawn.items(), strict=True):
        outside = float(((errors - error).abs() >= margin - 1e-12).double().mean())
        axes.axvspan(error - margin, error + margin, color=SECOND, alpha=0.2, lw=0)
        width = max(1 / n, (high - low) / 60)
        edges = torch.arange(low, high + width, width, dtype=torch.float64)
        axes.hist(errors, bins=edges, density=True, color=INK, alpha=0.75)
        if spread := standard_error(n, error):
            x = torch.linspace(low, high, 301, dtype=torch.float64)
            axes.plot(x, normal_density(x, error, spread), color=ACCENT, lw=1.3)
        axes.set(xlim=(low, high), yticks=[], xlabel="test error")
        axes.set_title(f"{n:,} examples\n{outside:.1%} outside ±{margin:g}", fontsize=10)
    return figure


def tails_figure(margin: float, error: float, level: float, asked: Sequence[int]) -> "Figure":
    """How often the margin is missed, by the number of examples: exactly and by both bounds."""
    from matplotlib.figure import Figure

    largest = 1.5 * max(asked)
    sizes = [int(n) for n in torch.linspace(max(1.0, largest / 80), largest, 60)]
    figure = Figure(figsize=(8, 4.4), layout="constrained")
    axes = figure.subplots()
    exact = [n for n in sizes if n <= 200_000]
    axes.semilogy(exact, [max(binomial_tail(n, margin, error), 1e-12) for n in exact], ".",
                  color=INK, label=f"exactly, for the error {error:g}")  # fmt: skip
    axes.semilogy(sizes, [max(normal_tail(n, margin, error), 1e-12) for n in sizes], "-",
                  color=SECOND, lw=1.3, label="in the normal limit")  # fmt: skip
    axes.semilogy(sizes, [hoeffding_bound(n, margin) for n in sizes], "-", color=ACCENT, lw=1.6,
                  label="Hoeffding's bound, two-sided")  # fmt: skip
    axes.semilogy(sizes, [hoeffding_bound(n, margin, "one") for n in sizes], "--", color=ACCENT,
                  lw=1, label="Hoeffding's bound, one-sided")  # fmt: skip
    axes.axhline(level, color=GREY, ls=":", label=f"{level:.3g} is allowed")
    axes.set(xlabel="test examples", ylabel=f"probability to miss ±{margin:g}")
    axes.set_ylim(max(1e-5, 0.05 * hoeffding_bound(sizes[-1], margin)), 1.3)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9)
    return figure


def family_figure(level: float, num_tests: int) -> "Figure":
    """The probability of a false alarm by the number of tests, with and without Bonferroni."""
    from matplotlib.figure import Figure

    tests = range(1, max(50, 2 * num_tests) + 1)
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(tests, [family_error(level, k) for k in tests], color=ACCENT, lw=2,
              label=f"each test at {level:.3g}")  # fmt: skip
    axes.plot(tests, [family_error(bonferroni(level, k), k) for k in tests], color=INK, lw=2,
              label=f"each test at {level:.3g}/k (Bonferroni)")  # fmt: skip
    found = family_error(level, num_tests)
    axes.plot(num_tests, found, "o", color=ACCENT)
    axes.annotate(f"k = {num_tests}: {found:.2f}", (num_tests, found), xytext=(10, -14),
                  textcoords="offset points", color=ACCENT)  # fmt: skip
    axes.set(xlabel="independent tests, k", ylabel="P(at least one false alarm)", ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9, loc="center right")
    return figure


def adaptive_figure(chosen: Chosen, num_examples: int) -> "Figure":
    """Accuracy that a test set reports of what it chose, and what fresh examples say of it."""
    from matplotlib.figure import Figure

    looks = torch.arange(1, len(chosen.best) + 1)
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    lines = (
        (chosen.vote, ACCENT, "-", "vote of the better ones, here"),
        (chosen.fresh_vote, ACCENT, ":", "the vote, fresh examples"),
        (chosen.best, INK, "-", "best single one, here"),
        (chosen.fresh_best, INK, ":", "the best one, fresh examples"),
    )
    for accuracy, colour, style, label in lines:
        axes.plot(looks, accuracy, color=colour, ls=style, lw=1.6, label=label)
    expected = 0.5 + (looks.double().log() / (2 * num_examples)).sqrt()
    axes.plot(looks, expected, color=GREY, lw=1, label="½ + √(ln k / 2n)")
    axes.axhline(0.5, color=GREY, lw=0.8)
    axes.set(xlabel="classifiers measured, k", ylabel="accuracy")
    axes.set_title(f"coins, judged by one test set of {num_examples:,}", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9, loc="upper left", bbox_to_anchor=(1.01, 1))
    return figure
