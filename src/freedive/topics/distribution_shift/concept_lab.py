"""Concept shift: what the labels mean changes, slowly or at once (sections 4.7.1.3, 4.7.3.4)."""

from typing import Annotated, Any, Literal

import torch

from freedive.catalog import lab
from freedive.core.hyperparameters import Bounds, Count, Positive, Whole
from freedive.core.random import generator
from freedive.core.report import Report
from freedive.topics.distribution_shift.drifting import (
    DriftingWorld,
    OnlineLearner,
    Refitter,
    moving_average,
    radians,
)
from freedive.topics.distribution_shift.loops import interact
from freedive.topics.distribution_shift.scratch import (
    density_ratio,
    effective_sample_size,
    fit_classifier,
)
from freedive.topics.distribution_shift.shift_figures import drift_figure, regions_figure
from freedive.topics.distribution_shift.shifts import concept_sample

SMOOTH = 10  # steps that a drawn error is the mean of


@lab("concept-shift", section="4.7.3.4")
def concept_shift(
    kind: Literal["gradual", "abrupt"] = "gradual",
    degrees: Annotated[float, Bounds(0, 180)] = 90.0,
    steps: Annotated[int, Bounds(20, 1000, whole=True)] = 200,
    batch_size: Annotated[int, Bounds(1, 100, whole=True)] = 20,
    noise: Annotated[float, Bounds(0, 0.49)] = 0.05,
    lr: Positive = 1.0,
    window: Count = 200,
    seed: Whole = 0,
) -> Report:
    """The same inputs get other labels: weights cannot mend it, new labels do, by steps or refits.

    Args:
        kind: gradual, a little each step, or abrupt, all at once in the middle.
        degrees: how far the border turns.
        steps: how often a batch is answered, then its labels are told.
        batch_size: examples a step.
        noise: share of labels that are flipped.
        lr: learning rate of the online learners; the slow one has a tenth of it.
        window: examples that the refitted learner keeps; the batch learner stops after as many.
        seed: of all draws.
    """
    settings = (kind, radians(degrees), steps, batch_size, noise, seed)
    learners: dict[str, Any] = {
        "batch: once, then deployed": Refitter(stop=window),
        "refitted on all so far": Refitter(),
        f"refitted on the last {window}": Refitter(window=window),
        f"online, lr {lr:g}": OnlineLearner(lr),
        f"online, lr {lr / 10:g}": OnlineLearner(lr / 10),
    }
    errors = {n: interact(agent, DriftingWorld(*settings), steps) for n, agent in learners.items()}
    world = DriftingWorld(*settings)
    concept = [world.concept(step) * 180 / torch.pi for step in range(steps)]
    rows = [
        {
            "learner": name,
            "wrong on average": round(float(values.mean()), 4),
            "in the last tenth": round(float(values[-max(steps // 10, 1) :].mean()), 4),
        }
        for name, values in errors.items()
    ]
    weighed = weights_do_nothing(radians(degrees), noise, seed)
    smooth = {name: moving_average(values, SMOOTH) for name, values in errors.items()}
    return Report(
        numbers={
            "noise of the labels": noise,
            **{f"wrong, {row['learner']}": row["wrong on average"] for row in rows},
            **weighed["numbers"],
        },
        tables={"learners": rows},
        figures={
            "errors": drift_figure(smooth, concept, noise),
            "before and after": weighed["figure"],
        },
        notes=[
            "The inputs are the same before and after: their weights are all near 1, and a "
            "classifier trained with them is as wrong as before. Only new labels help.",
            "Small updates follow a slow drift. After a jump they come late: then old data are "
            "false, and a fit on new ones only is right soonest.",
            "The more data from before are kept, the longer they hold on to the old concept; the "
            "fewer, the noisier the fit.",
            f"The curves are means of {SMOOTH} steps.",
        ],
    )


def weights_do_nothing(angle: float, noise: float, seed: int) -> dict[str, Any]:
    """Importance weights between two samples whose concepts differ, and what they change."""
    chance = generator(seed, 5)
    old, new, fresh = (concept_sample(1000, a, noise, chance) for a in (0.0, angle, angle))
    beta = density_ratio(old.X, new.X).weights(old.X)
    plain, weighted = (fit_classifier(old.X, old.y, 2, w) for w in (None, beta))
    retrained = fit_classifier(new.X, new.y, 2)

    def right(classifier: Any) -> float:
        return float((classifier.predict(fresh.X) == fresh.y).double().mean())

    panels: list[tuple[str, Any, Any]] = [
        ("old labels", old, plain.predict),
        (f"new labels, before: {right(plain):.1%} right", new, plain.predict),
        (f"trained on new labels: {right(retrained):.1%}", new, retrained.predict),
    ]
    return {
        "numbers": {
            "right before": right(plain),
            "right with importance weights": right(weighted),
            "right with new labels": right(retrained),
            "effective examples of 1000": effective_sample_size(beta),
        },
        "figure": regions_figure(panels, [old, new], 2),
    }
