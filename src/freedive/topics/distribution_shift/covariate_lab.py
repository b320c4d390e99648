"""Covariate shift and its correction by importance weights (section 4.7.3.2)."""

from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.catalog import lab
from freedive.core.hyperparameters import Bounds, Positive, Whole
from freedive.core.random import generator
from freedive.core.report import Report
from freedive.topics.distribution_shift.scratch import (
    LinearClassifier,
    density_ratio,
    effective_sample_size,
    fit_classifier,
)
from freedive.topics.distribution_shift.shift_figures import covariate_figure, ratio_figure
from freedive.topics.distribution_shift.shifts import Sample, covariate_sample, log_ratio

Size = Annotated[int, Bounds(50, 20_000, whole=True)]
Model = Literal["line", "parabola"]
FRESH = 4000  # test examples that judge


def features(X: Float[Tensor, "n 2"], model: Model) -> Float[Tensor, "n d"]:
    """The inputs; for a parabola also x₁², with which the true border can be drawn."""
    return X if model == "line" else torch.cat([X, X[:, :1] ** 2], dim=1)


def accuracy(classifier: LinearClassifier, sample: Sample, model: Model = "line") -> float:
    """Share of right answers."""
    right = classifier.predict(features(sample.X, model)) == sample.y
    return float(right.double().mean())


@lab("covariate-shift", section="4.7.3.2")
def covariate_shift(
    shift: Annotated[float, Bounds(0, 4)] = 1.5,
    model: Model = "line",
    num_train: Size = 2000,
    num_test: Size = 2000,
    largest: Positive = 20.0,
    seed: Whole = 0,
) -> Report:
    """Test inputs come from elsewhere: weights p(x)/q(x), learnt without test labels, mend it.

    Args:
        shift: how far the test inputs have moved, in standard deviations.
        model: line, which cannot draw the true border, or parabola, which can.
        num_train: labelled training examples.
        num_test: test inputs, whose labels stay unknown.
        largest: weights are cut off here; a few huge ones would decide alone.
        seed: of all draws.
    """
    ends, chance = (-shift / 2, shift / 2), generator(seed, 0)
    source, target = (
        covariate_sample(n, end, chance) for n, end in zip((num_train, num_test), ends, strict=True)
    )
    fresh = covariate_sample(FRESH, ends[1], chance)
    ratio = density_ratio(source.X, target.X)
    beta, exact = ratio.weights(source.X, largest), log_ratio(source.X, *ends).exp()
    F = features(source.X, model)
    plans = {"plain": None, "learnt weights": beta, "exact weights": exact.clamp(max=largest)}
    fitted = {name: fit_classifier(F, source.y, 2, weights) for name, weights in plans.items()}
    fitted["test labels known"] = fit_classifier(features(target.X, model), target.y, 2)
    rows = [
        {
            "trained with": name,
            "accuracy, training": round(accuracy(found, source, model), 4),
            "accuracy, test": round(accuracy(found, fresh, model), 4),
        }
        for name, found in fitted.items()
    ]
    before, after = rows[0]["accuracy, test"], rows[1]["accuracy, test"]
    titles = (
        f"training, {rows[0]['accuracy, training']:.1%} right",
        "training, as large as its weight",
        f"test: {before:.1%} right before, {after:.1%} after",
    )
    scores = (score(fitted["plain"], model), score(fitted["learnt weights"], model))
    return Report(
        numbers={
            "test accuracy before": before,
            "test accuracy after": after,
            "learnt logit, slopes": ratio.w.tolist(),
            "exact logit, slopes": [shift, 0.0],
            "mean weight": float(beta.mean()),
            "effective examples": effective_sample_size(beta),
            "heaviest example": float(beta.max()),
        },
        tables={"training": rows, "by hand": by_hand(source, ratio.logit(source.X), beta, exact)},
        figures={
            "before and after": covariate_figure(source, target, beta, *scores, titles),
            "weights": ratio_figure(exact, beta, largest),
        },
        notes=notes(model, num_train, effective_sample_size(beta), largest),
    )


def score(classifier: LinearClassifier, model: Model) -> Any:
    """The logit of class 1 above that of class 0."""

    def above(X: Float[Tensor, "n 2"]) -> Float[Tensor, " n"]:
        logits = classifier.logits(features(X, model))
        return logits[:, 1] - logits[:, 0]

    return above


def by_hand(source: Sample, h: Tensor, beta: Tensor, exact: Tensor) -> list[dict[str, Any]]:
    """The weights of five training examples, from the lightest to the heaviest."""
    order = beta.argsort()
    chosen = order[torch.linspace(0, len(order) - 1, 5).long()].tolist()
    return [
        {
            "x₁": round(float(source.X[i, 0]), 3),
            "x₂": round(float(source.X[i, 1]), 3),
            "h(x)": round(float(h[i]), 3),
            "β = exp(h) n_q/n_p": round(float(beta[i]), 3),
            "exact p(x)/q(x)": round(float(exact[i]), 3),
        }
        for i in chosen
    ]


def notes(model: Model, num_train: int, effective: float, largest: float) -> list[str]:
    """What to see."""
    told = [
        "P(y | x) is the same on both sides. What moved are the inputs, so a line that fits the "
        "curve where the training inputs lie fits it badly where the test inputs lie.",
        "The weights come from a classifier that tells training from test inputs: exp of its "
        "logit, times n_q/n_p where the samples differ in size.",
        f"The weighted {num_train} examples tell as much as {effective:.0f} equal ones would; the "
        f"farther the shift, the fewer. Weights above {largest:g} are cut off.",
    ]
    if model == "parabola":
        told.append(
            "A parabola contains the truth: it is right everywhere without weights, which then "
            "only cost examples."
        )
    return told
