"""Under- and overfitting, by degree and by the number of examples (section 3.6.2)."""

from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.catalog import lab
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Bounds, NonNegative, Whole
from freedive.core.report import Report
from freedive.topics.generalization.polynomial import Target, draw, error, fit, judge_fit
from freedive.topics.generalization.polynomial_figures import (
    capacity_figure,
    fits_figure,
    sizes_figure,
)

SIZES = (10, 15, 20, 30, 50, 100, 200, 500)
NUM_UNSEEN = 500  # fresh examples that each fit is judged by


@lab("polynomial-capacity", section="3.6.2")
def polynomial_capacity(
    target: Target = "sine",
    max_degree: Annotated[int, Bounds(2, 20, whole=True)] = 12,
    num_train: Annotated[int, Bounds(4, 1000, whole=True)] = 20,
    noise: NonNegative = 0.2,
    repeats: Annotated[int, Bounds(1, 200, whole=True)] = 40,
    seed: Whole = 0,
) -> Report:
    """Under- and overfitting: errors by a polynomial's degree, and by how many examples it has.

    Args:
        target: what is to be learnt: sin 3x, or the book's cubic.
        max_degree: the largest degree.
        num_train: examples to learn from.
        noise: standard deviation of their noise.
        repeats: samples that the errors are medians over.
        seed: of the samples.
    """
    if max_degree >= num_train:
        raise UsageError(
            f"degree {max_degree} wants at least {max_degree + 1} examples, got num_train "
            f"{num_train}: pass a smaller max_degree or more examples"
        )
    degrees = list(range(max_degree + 1))
    train, unseen = errors_by_degree(target, degrees, num_train, noise, repeats, seed)
    medians = [float(e.median()) for e in unseen]
    best = medians.index(min(medians))
    shown = sorted({min(1, best), best, max_degree})
    by_size = {d: errors_by_size(target, d, noise, repeats, seed) for d in shown}
    one = draw(target, num_train, noise=noise, seed=seed)
    return Report(
        numbers={
            "best degree": best,
            "error there": medians[best],
            "error of the noise alone": noise**2,
            "training error never rises": bool((train.diff(dim=0) <= 1e-9).all()),
            f"error of degree {max_degree}": medians[-1],
        },
        tables={
            "by degree": degree_rows(train, unseen, medians[best]),
            "by examples": [
                {"examples": n, **{f"degree {d}": by_size[d].get(n) for d in shown}} for n in SIZES
            ],
        },
        figures={
            "capacity": capacity_figure(train, unseen, noise**2),
            "fits": fits_figure(target, one, {d: fit(one, d) for d in shown}),
            "sizes": sizes_figure(by_size, noise**2),
        },
        notes=capacity_notes(best, shown),
    )


def errors_by_degree(
    target: Target, degrees: list[int], num_train: int, noise: float, repeats: int, seed: int
) -> tuple[Float[Tensor, "degrees runs"], Float[Tensor, "degrees runs"]]:
    """Errors on the examples that were learnt from, and on fresh ones, for several samples."""
    learnt = draw(target, repeats, num_train, noise=noise, seed=seed)
    fresh = draw(target, repeats, NUM_UNSEEN, noise=noise, seed=seed, stream=1)
    fits = [fit(learnt, degree) for degree in degrees]
    train, unseen = (torch.stack([error(w, s) for w in fits]) for s in (learnt, fresh))
    return train, unseen


def errors_by_size(
    target: Target, degree: int, noise: float, repeats: int, seed: int
) -> dict[int, float]:
    """Median error on fresh examples by the number of examples that a degree could learn from."""
    found = {}
    for stream, n in enumerate(SIZES, start=2):
        if n > degree:
            learnt = draw(target, repeats, n, noise=noise, seed=seed, stream=stream)
            fresh = draw(target, repeats, NUM_UNSEEN, noise=noise, seed=seed, stream=1)
            found[n] = float(error(fit(learnt, degree), fresh).median())
    return found


def degree_rows(
    train: Float[Tensor, "degrees runs"], unseen: Float[Tensor, "degrees runs"], best: float
) -> list[dict[str, object]]:
    """Each degree with its errors, their gap, and what they say."""
    rows = []
    for degree, (seen, fresh) in enumerate(zip(train, unseen, strict=True)):
        learnt, judged = float(seen.median()), float(fresh.median())
        row: dict[str, object] = {"degree": degree, "weights": degree + 1, "training error": learnt}
        row |= {"error on unseen": judged, "gap": judged - learnt}
        rows.append(row | {"it": judge_fit(learnt, judged, best)})
    return rows


def capacity_notes(best: int, shown: list[int]) -> list[str]:
    """What the figures show."""
    told = [
        "The training error only falls with the degree: a polynomial of a higher degree can be "
        "every one of a lower.",
        f"The error on unseen examples falls, is least at degree {best}, and rises again.",
        "Underfitting is a small gap with both errors high; overfitting is a gap.",
    ]
    if len(shown) == 3:
        told.append(
            f"More examples mend overfitting (degree {shown[-1]}), not underfitting "
            f"(degree {shown[0]})."
        )
    return told
