"""Double descent: the error by the width of a model, through interpolation (section 5.5.1)."""

from statistics import median
from typing import TYPE_CHECKING, Annotated

from freedive.catalog import lab
from freedive.core.figures import ACCENT, INK, SECOND
from freedive.core.hyperparameters import Bounds, NonNegative, Positive, Whole
from freedive.core.report import Report
from freedive.topics.generalization.double_descent import Errors, errors, problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GREY = "#8a8a8a"
# widths as multiples of the number of examples, densest around 1
MULTIPLES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.85, 0.95, 1, 1.05, 1.2, 1.5, 2, 3, 6, 12, 25)


@lab("double-descent", section="5.5.1")
def double_descent(
    num_train: Annotated[int, Bounds(10, 200, whole=True)] = 100,
    noise: NonNegative = 0.5,
    ridge: Positive = 0.02,
    repeats: Annotated[int, Bounds(1, 50, whole=True)] = 5,
    seed: Whole = 0,
) -> Report:
    """Double descent: test error falls, rises to a peak where a model can just interpolate, falls.

    Args:
        num_train: examples; the peak stands at as many features.
        noise: standard deviation of their noise.
        ridge: λ of a second curve, with an ℓ₂ penalty.
        repeats: problems that the errors are medians over.
        seed: of the problems.
    """
    widths = sorted({max(1, round(m * num_train)) for m in MULTIPLES})
    tasks = [problem(num_train, noise, widths[-1], seed, stream) for stream in range(repeats)]
    plain = {k: middle([errors(task, k) for task in tasks]) for k in widths}
    calm = {k: middle([errors(task, k, ridge) for task in tasks]) for k in widths}
    before = min((k for k in widths if k < num_train), key=lambda k: plain[k].test)
    return Report(
        numbers={
            "examples": num_train,
            "best width before the peak": before,
            "error there": plain[before].test,
            f"error at {num_train} features": plain[num_train].test,
            f"error at {widths[-1]} features": plain[widths[-1]].test,
            "highest error with the penalty": max(e.test for e in calm.values()),
            "first width without training error": min(
                (k for k in widths if plain[k].train < 1e-9), default=None
            ),
        },
        tables={
            "by width": [
                {
                    "features": k,
                    "training error": e.train,
                    "test error": e.test,
                    "gap": e.gap,
                    "‖w‖": e.norm,
                    f"test error, λ = {ridge:g}": calm[k].test,
                }
                for k, e in plain.items()
            ]
        },
        figures={"double descent": descent_figure(plain, calm, num_train, ridge)},
        notes=[
            f"From {num_train} features on a model fits every example, noise included.",
            "At the peak there is one such fit, and it takes huge weights. Wider models have many, "
            "and least squares takes the shortest.",
            "The error falls, rises and falls; the gap to the training error only rises and falls.",
            "A penalty of the right strength takes the peak away.",
        ],
    )


def middle(found: list[Errors]) -> Errors:
    """The median of each figure."""
    columns = zip(*((e.train, e.test, e.gap, e.norm) for e in found), strict=True)
    return Errors(*map(median, columns))


def descent_figure(
    plain: dict[int, Errors], calm: dict[int, Errors], num_train: int, ridge: float
) -> "Figure":
    """Errors above, the length of the weights below, by the number of features."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.7, 1))
    widths = list(plain)
    train = [max(e.train, 1e-4) for e in plain.values()]
    above.loglog(widths, train, "o-", color=INK, ms=3, label="training (cut at 0.0001)")
    above.loglog(widths, [e.test for e in plain.values()], "o-", color=ACCENT, ms=4, label="test")
    above.loglog(widths, [calm[k].test for k in widths], "--", color=SECOND, lw=1.6,
                 label=f"test with ½·{ridge:g}‖w‖²")  # fmt: skip
    below.loglog(widths, [e.norm for e in plain.values()], "o-", color=ACCENT, ms=3)
    below.loglog(widths, [calm[k].norm for k in widths], "--", color=SECOND, lw=1.6)
    above.set(ylabel="mean squared error")
    below.set(ylabel="‖w‖", xlabel="random features")
    for axes in (above, below):
        axes.axvline(num_train, color=GREY, ls=":")
        axes.grid(alpha=0.3)
    above.annotate(f"features = examples = {num_train} ", (num_train, 2e-4), ha="right", fontsize=9,
                   color=GREY)  # fmt: skip
    above.legend(fontsize=9, loc="upper left")
    return figure
