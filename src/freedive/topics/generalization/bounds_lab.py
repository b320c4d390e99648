"""How many test examples are enough, and what many looks at them cost (section 4.6)."""

from typing import TYPE_CHECKING, Annotated

import torch

from freedive.catalog import lab
from freedive.core.hyperparameters import Bounds, Probability, Whole
from freedive.core.random import generator
from freedive.core.report import Report
from freedive.topics.generalization.adaptive import Chosen, choose
from freedive.topics.generalization.bounds import (
    Sides,
    binomial_tail,
    bonferroni,
    family_error,
    hoeffding_bound,
    hoeffding_sample_size,
    normal_sample_size,
    normal_tail,
    standard_error,
    whole_from,
)
from freedive.topics.generalization.bounds_figures import (
    adaptive_figure,
    family_figure,
    histograms_figure,
    tails_figure,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWS = 4000  # test sets behind each histogram


@lab("test-set-statistics", section="4.6")
def statistics_of_test_sets(
    margin: Annotated[float, Bounds(0.002, 0.5)] = 0.01,
    confidence: Annotated[float, Bounds(0.5, 0.9999)] = 0.95,
    error: Probability = 0.5,
    num_tests: Annotated[int, Bounds(1, 1000, whole=True)] = 20,
    num_test_examples: Annotated[int, Bounds(10, 5000, whole=True)] = 1000,
    looks: Annotated[int, Bounds(1, 1000, whole=True)] = 300,
    seed: Whole = 0,
) -> Report:
    """How many test examples are enough, and how a test set wears out when it is asked often.

    Args:
        margin: how near the test error is to come to the true error.
        confidence: how surely it is to lie there.
        error: true error of the classifier; 0.5 spreads most.
        num_tests: comparisons made at once, each at the level 1 − confidence.
        num_test_examples: size of the test set that is asked again and again.
        looks: how often.
        seed: of all draws.
    """
    sizes = size_rows(margin, confidence, error)
    level = 1 - confidence
    chosen = choose(num_test_examples, looks, seed)
    return Report(
        numbers={
            **{f"{row['by']}, {row['sides']}-sided": row["examples"] for row in sizes},
            f"false alarm among {num_tests} tests": family_error(level, num_tests),
            "the same after Bonferroni": family_error(bonferroni(level, num_tests), num_tests),
            f"accuracy of the best of {looks} coins": float(chosen.best[-1]),
            "on fresh examples": float(chosen.fresh_best[-1]),
            "accuracy of the vote of the better ones": float(chosen.vote[-1]),
            "the vote on fresh examples": float(chosen.fresh_vote[-1]),
        },
        tables={
            f"examples for ±{margin:g}": sizes,
            "the deviation by examples": [
                {"examples": n, "deviation at most": standard_error(n)}
                for n in (100, 400, 2500, 10_000, 1_000_000)
            ],
        },
        figures=figures(sizes, margin, error, level, num_tests, chosen, num_test_examples, seed),
        notes=[
            "One standard deviation is no certainty: a test error lies outside it one time in "
            "three. For 95 % the margin has to hold two deviations, four times the examples.",
            "A one-sided number is smaller than a two-sided one, and Hoeffding's larger than the "
            "normal limit's: compare like with like.",
            "Four times the examples halve the error of the estimate, not the test error itself.",
            "Each look at a test set that leads to a choice makes its verdict too kind: the coins "
            "all are right half of the time.",
        ],
    )


def size_rows(margin: float, confidence: float, error: float) -> list[dict[str, object]]:
    """How many examples each way of counting asks for, and how often the margin is then missed."""
    plans: list[tuple[str, Sides, int]] = [
        ("one deviation", "two", whole_from(0.25 / margin**2)),  # the book's, at the error ½
        ("normal limit", "one", normal_sample_size(margin, confidence, "one")),
        ("normal limit", "two", normal_sample_size(margin, confidence, "two")),
        ("Hoeffding", "one", hoeffding_sample_size(margin, confidence, "one")),
        ("Hoeffding", "two", hoeffding_sample_size(margin, confidence, "two")),
    ]
    rows = []
    for by, sides, n in plans:
        row: dict[str, object] = {"by": by, "sides": sides, "examples": n}
        row["missed, exactly"] = binomial_tail(n, margin, error, sides)
        row["missed, normal"] = normal_tail(n, margin, error, sides)
        row["missed, Hoeffding"] = hoeffding_bound(n, margin, sides)
        rows.append(row)
    return rows


def figures(
    sizes: list[dict[str, object]],
    margin: float,
    error: float,
    level: float,
    num_tests: int,
    chosen: Chosen,
    num_test_examples: int,
    seed: int,
) -> "dict[str, Figure | str]":
    """The four pictures."""
    asked = [int(str(row["examples"])) for row in sizes]
    drawn = {n: draw_errors(n, error, seed) for n in sorted({100, asked[0], asked[2], asked[4]})}
    return {
        "histograms": histograms_figure(drawn, margin, error),
        "tails": tails_figure(margin, error, level, asked),
        "many tests": family_figure(level, num_tests),
        "many looks": adaptive_figure(chosen, num_test_examples),
    }


def draw_errors(n: int, error: float, seed: int) -> torch.Tensor:
    """Errors of one classifier on many test sets of n examples."""
    counts = torch.full((DRAWS,), float(n), dtype=torch.float64)
    share = torch.full((DRAWS,), error, dtype=torch.float64)
    return torch.binomial(counts, share, generator=generator(seed, 3, n)) / n
