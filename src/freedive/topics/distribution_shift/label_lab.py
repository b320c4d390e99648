"""Label shift and its correction by the confusion-matrix solve (section 4.7.3.3)."""

from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.catalog import lab
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Bounds, Whole
from freedive.core.random import generator
from freedive.core.report import Report
from freedive.topics.distribution_shift.covariate_lab import FRESH, Size
from freedive.topics.distribution_shift.label_prior import (
    confusion_matrix,
    label_weights,
    shares,
    target_prior,
)
from freedive.topics.distribution_shift.scratch import fit_classifier
from freedive.topics.distribution_shift.shift_figures import regions_figure, shares_figure
from freedive.topics.distribution_shift.shifts import label_logits, label_sample, read_shares


@lab("label-shift", section="4.7.3.3")
def label_shift(
    source: str = "0.6 0.3 0.1",
    target: str = "0.1 0.3 0.6",
    distance: Annotated[float, Bounds(0, 10)] = 2.0,
    num_train: Size = 2000,
    num_test: Size = 2000,
    seed: Whole = 0,
) -> Report:
    """Classes become rarer or more frequent: their new shares are solved for, without test labels.

    Args:
        source: share of each class in the training data.
        target: share of each class in the test data.
        distance: between the centres of two classes; at 0 nothing tells them apart.
        num_train: labelled examples to train on, and as many to measure the confusion with.
        num_test: test inputs, whose labels stay unknown.
        seed: of all draws.
    """
    q, p = both_shares(source, target)
    k, chance = len(q), generator(seed, 0)
    train, held_out = (label_sample(num_train, q, distance, chance) for _ in range(2))
    test, fresh = (label_sample(n, p, distance, chance) for n in (num_test, FRESH))
    plain = fit_classifier(train.X, train.y, k)
    C = confusion_matrix(plain.predict(held_out.X), held_out.y, k)
    mu = shares(plain.predict(test.X), k)
    found = target_prior(C, mu)
    beta = label_weights(found, shares(train.y, k))
    weighted = fit_classifier(train.X, train.y, k, beta[train.y])
    answers = {
        "plain": plain.predict(fresh.X),
        "trained again with weights": weighted.predict(fresh.X),
        "plain, log β added to its logits": plain.predict(fresh.X, beta.clamp(min=1e-12)),
        "the best there is": label_logits(fresh.X, p, distance).argmax(dim=1),
    }
    right = {name: float((answer == fresh.y).double().mean()) for name, answer in answers.items()}
    condition = float(torch.linalg.cond(C))
    panels = [
        ("training", train, plain.predict),
        (f"test, before: {right['plain']:.1%} right", test, plain.predict),
        (f"after: {right['trained again with weights']:.1%} right", test, weighted.predict),
    ]
    groups = {"training, q": q, "predicted, μ": mu, "solved, p": found, "true p": p}
    return Report(
        numbers={
            "test accuracy before": right["plain"],
            "test accuracy after": right["trained again with weights"],
            "shares found": found.tolist(),
            "farthest share": float((found - p).abs().max()),
            "farthest share by counting predictions": float((mu - p).abs().max()),
            "condition number of C": condition,
        },
        tables={
            "test accuracy": [{"classifier": n, "right": round(a, 4)} for n, a in right.items()],
            "by hand": by_hand(C, mu, found, beta, p),
        },
        figures={
            "before and after": regions_figure(panels, [train, test], k),
            "shares": shares_figure(groups, C),
        },
        notes=notes(C, found, mu, condition),
    )


def both_shares(source: str, target: str) -> tuple[Tensor, Tensor]:
    """The two distributions, over the same classes, each of which the source has.

    Raises:
        UsageError: they are not, or a class is missing from the source.
    """
    q, p = read_shares("source", source), read_shares("target", target)
    if len(q) != len(p):
        raise UsageError(f"source has {len(q)} classes and target {len(p)}: pass as many for both")
    if not bool((q > 0).all()):
        missing = int((q == 0).nonzero()[0])
        raise UsageError(
            f"source wants every class above 0, got 0 for class {missing}: no weight brings back "
            f"what was never seen"
        )
    return q, p


def by_hand(C: Tensor, mu: Tensor, found: Tensor, beta: Tensor, p: Tensor) -> list[dict[str, Any]]:
    """One equation a row: what is known, and what it gives."""
    rows = []
    for i in range(len(C)):
        left = " + ".join(f"{float(c):.3f} p{j}" for j, c in enumerate(C[i]))
        rows.append(
            {
                "C p = μ": f"{left} = {float(mu[i]):.3f}",
                "p": round(float(found[i]), 4),
                "true p": round(float(p[i]), 4),
                "β = p/q": round(float(beta[i]), 4),
            }
        )
    return rows


def notes(
    C: Float[Tensor, "k k"], found: Tensor, mu: Float[Tensor, " k"], condition: float
) -> list[str]:
    """What to see."""
    told = [
        "P(x | y) is the same on both sides, so the classifier confuses the classes as before, and "
        "the shares of its predictions are a known mix of the unknown shares.",
        "Counting its predictions is no way to the shares: it still expects the training's.",
        "The same weights may be added to the logits as log β, without training again.",
    ]
    if condition > 20:
        told.append(
            f"The confusion matrix is nearly singular (condition number {condition:.0f}): small "
            "errors of the counts become large errors of the shares."
        )
    if float((C @ found - mu).abs().max()) > 1e-9:
        told.append("The solve gave a share below 0, which became 0: its class is rare or absent.")
    return told
