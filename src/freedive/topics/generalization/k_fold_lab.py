"""Choosing a model by cross-validation, fold by fold (section 3.6.3)."""

from typing import TYPE_CHECKING, Annotated, Any

import torch
from jaxtyping import Int
from torch import Tensor

from freedive.catalog import lab
from freedive.core.errors import UsageError
from freedive.core.figures import ACCENT, INK, SECOND
from freedive.core.hyperparameters import Bounds, NonNegative, Whole
from freedive.core.report import Report
from freedive.topics.generalization.k_fold import CrossValidation, Split, cross_validate, k_fold
from freedive.topics.generalization.polynomial import Sample, Target, draw, error, fit, judge_fit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUM_UNSEEN = 2000  # fresh examples, which only this lab has: they say what was to be estimated


@lab("k-fold", section="3.6.3")
def k_fold_lab(
    num_examples: Annotated[int, Bounds(3, 500, whole=True)] = 23,
    num_folds: Annotated[int, Bounds(2, 500, whole=True)] = 5,
    max_degree: Annotated[int, Bounds(1, 20, whole=True)] = 8,
    target: Target = "sine",
    noise: NonNegative = 0.2,
    seed: Whole = 0,
) -> Report:
    """K-fold cross-validation: which examples judge when, and which degree it chooses.

    Args:
        num_examples: examples that there are.
        num_folds: K; as many as there are examples is leave-one-out.
        max_degree: the largest degree of the polynomials to choose from.
        target: what is to be learnt: sin 3x, or the book's cubic.
        noise: standard deviation of the examples' noise.
        seed: of the examples and of the shuffling.
    """
    splits = k_fold(num_examples, num_folds, seed)
    fewest = min(len(train) for train, _ in splits)
    if max_degree >= fewest:
        raise UsageError(
            f"degree {max_degree} wants at least {max_degree + 1} examples, got {fewest} in a "
            "training part: pass a smaller max_degree or more examples"
        )
    sample = draw(target, num_examples, noise=noise, seed=seed)
    fresh = draw(target, NUM_UNSEEN, noise=noise, seed=seed, stream=1)
    found = {d: validate(sample, d, num_folds, seed) for d in range(max_degree + 1)}
    truth = {d: float(error(fit(sample, d), fresh)) for d in found}
    chosen = min(found, key=lambda d: found[d].val_error)
    judged = [int(i) for _, val in splits for i in val]
    return Report(
        numbers={
            "folds": [len(val) for _, val in splits],
            "examples that judge": len(set(judged)),
            "examples that judge twice": len(judged) - len(set(judged)),
            "chosen degree": chosen,
            "its error by cross-validation": found[chosen].val_error,
            "its error on fresh examples": truth[chosen],
            "best degree on fresh examples": min(truth, key=lambda d: truth[d]),
        },
        tables={
            "by degree": degree_rows(found, truth, found[chosen].val_error),
            f"the folds of degree {chosen}": fold_rows(found[chosen], splits),
        },
        figures={
            "folds": folds_figure(splits, num_examples),
            "errors": errors_figure(found, truth, chosen),
        },
        notes=[
            "Each example judges once and teaches in all other rounds: no two folds share one.",
            "The estimate is the mean over all examples, so that a fold of fewer counts less.",
            "The error that chose a degree is optimistic for that degree: what judges in the end "
            "wants to be data that chose nothing.",
        ],
    )


def validate(sample: Sample, degree: int, num_folds: int, seed: int) -> CrossValidation:
    """Cross-validation of one degree; every degree meets the same folds."""

    def one_round(train: Int[Tensor, " train"], val: Int[Tensor, " val"]) -> tuple[float, float]:
        learnt, held_out = (Sample(sample.x[rows], sample.y[rows]) for rows in (train, val))
        weights = fit(learnt, degree)
        return float(error(weights, learnt)), float(error(weights, held_out))

    return cross_validate(one_round, len(sample.x), num_folds, seed)


def degree_rows(
    found: dict[int, CrossValidation], truth: dict[int, float], best: float
) -> list[dict[str, object]]:
    """Each degree with its averages, and what they say of it."""
    return [
        {
            "degree": d,
            "training error": cv.train_error,
            "validation error": cv.val_error,
            "on fresh examples": truth[d],
            "it": judge_fit(cv.train_error, cv.val_error, best),
        }
        for d, cv in found.items()
    ]


def fold_rows(cv: CrossValidation, splits: list[Split]) -> list[dict[str, object]]:
    """The rounds one by one, and their average."""
    columns = zip(splits, cv.train.tolist(), cv.val.tolist(), strict=True)
    rows: list[dict[str, object]] = [
        {
            "round": k,
            "teach": len(train),
            "judge": ", ".join(str(i) for i in sorted(val.tolist())[:8]) + "…" * (len(val) > 8),
            "training error": learnt,
            "validation error": judged,
        }
        for k, ((train, val), learnt, judged) in enumerate(columns, start=1)
    ]
    average = {"training error": cv.train_error, "validation error": cv.val_error}
    return [*rows, {"round": "average", "teach": "", "judge": "each once", **average}]


def folds_figure(splits: list[Split], num_examples: int) -> "Figure":
    """A row a round, a column an example: who teaches, who judges."""
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch
    from matplotlib.ticker import MaxNLocator

    roles = torch.zeros(len(splits), num_examples)
    for k, (_, val) in enumerate(splits):
        roles[k, val] = 1
    width, height = min(12, 2 + 0.35 * num_examples), min(9, 1.3 + 0.35 * len(splits))
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    lines: dict[str, Any] = {"edgecolors": "white", "linewidth": 1.5}
    if num_examples > 60:  # the white lines would be all there is to see
        lines = {}
    columns, rows = torch.arange(num_examples + 1) - 0.5, torch.arange(len(splits) + 1) + 0.5
    colours = ListedColormap(["#c9d3dd", ACCENT])
    axes.pcolormesh(columns, rows, roles, cmap=colours, vmin=0, vmax=1, **lines)
    axes.invert_yaxis()
    axes.set(xlabel="example", ylabel="round")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles = [Patch(color="#c9d3dd", label="teaches"), Patch(color=ACCENT, label="judges")]
    figure.legend(handles=handles, loc="outside upper center", ncols=2, frameon=False)
    return figure


def errors_figure(
    found: dict[int, CrossValidation], truth: dict[int, float], chosen: int
) -> "Figure":
    """The errors of each degree: of every fold, their average, and on fresh examples."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    for d, cv in found.items():
        label = "single folds" if d == 0 else None
        axes.plot([d] * len(cv.val), cv.val.clamp(min=1e-12), "_", color=ACCENT, ms=9, alpha=0.5,
                  label=label)  # fmt: skip
    degrees = list(found)
    train, val = (
        [getattr(cv, f"{part}_error") for cv in found.values()] for part in ("train", "val")
    )
    axes.semilogy(degrees, train, "o-", color=INK, ms=4, label="training, average")
    axes.semilogy(degrees, val, "o-", color=ACCENT, ms=4, label="validation, average")
    axes.semilogy(degrees, [truth[d] for d in degrees], "s--", color=SECOND, ms=4,
                  label="fresh examples")  # fmt: skip
    axes.axvline(chosen, color=ACCENT, ls=":", label=f"chosen: degree {chosen}")
    axes.set(xlabel="degree of the polynomial", ylabel="mean squared error")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9, loc="upper left", bbox_to_anchor=(1.01, 1))
    return figure
