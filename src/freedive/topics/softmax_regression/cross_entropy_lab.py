"""An experiment on surprise: what a belief costs, outcome by outcome, and where it is moved to."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from freedive.catalog import lab
from freedive.core.errors import UsageError
from freedive.core.figures import ACCENT, INK, SECOND
from freedive.core.hyperparameters import Count, Positive
from freedive.core.report import Report
from freedive.topics.softmax_regression.information import (
    cross_entropy_of,
    distribution,
    entropy,
    kl_divergence,
    surprisal,
)
from freedive.topics.softmax_regression.scratch import log_softmax, softmax

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FAIR, LOADED = (1 / 6,) * 6, (0.1,) * 5 + (0.5,)
Tensors = Float[Tensor, " outcomes"]


@lab("cross-entropy", section="4.1.3")
def cross_entropy_lab(
    truth: tuple[float, ...] = FAIR,
    belief: tuple[float, ...] = LOADED,
    lr: Positive = 1.0,
    steps: Count = 40,
) -> Report:
    """A fair die, and someone who believes that it is loaded: surprise, and how beliefs improve.

    Args:
        truth: probabilities of the outcomes; they sum to 1.
        belief: what someone takes them for.
        lr: step size of gradient descent on the belief's logits.
        steps: of it.
    """
    P, Q = distribution("truth", truth), distribution("belief", belief)
    if len(P) != len(Q):
        raise UsageError(
            f"belief wants a probability for each of the {len(P)} outcomes of truth, got {len(Q)}"
        )
    descent = descended(P, Q, lr, steps)
    o = Q.clamp(min=1e-300).log()
    return Report(
        numbers={
            "entropy of the truth H(P)": float(entropy(P)),
            "cross-entropy H(P, Q)": float(cross_entropy_of(P, Q)),
            "what the belief costs D(P‖Q)": float(kl_divergence(P, Q)),
            "entropy of a uniform truth, log n": float(torch.tensor(len(P)).log()),
            "largest error of softmax(o) − P as gradient": float(
                (numerical_gradient(P, o) - (softmax(o) - P)).abs().max()
            ),
            f"H(P, Q) after {steps} steps": descent[-1],
        },
        tables={"step by step": steps_by_hand(P, Q)},
        figures={"surprise": surprise_figure(P, Q), "descent": descent_figure(P, descent)},
        notes=[
            "an outcome counts as often as it happens (P), and costs as it was believed (−log Q)",
            "no belief costs less than the truth: H(P, Q) ≥ H(P)",
            "the gradient with respect to logits is softmax(o) − P: observed less expected",
        ],
    )


def steps_by_hand(P: Tensors, Q: Tensors) -> list[dict[str, Any]]:
    """Each outcome's part of both sums, and the sums."""
    columns = {
        "P": P,
        "Q": Q,
        "−log P": surprisal(P),
        "−P log P": -torch.special.xlogy(P, P),
        "−log Q": surprisal(Q),
        "−P log Q": -torch.special.xlogy(P, Q),
        "Q − P": Q - P,
    }
    rows = [
        {"outcome": str(i + 1), **{name: float(c[i]) for name, c in columns.items()}}
        for i in range(len(P))
    ]
    summed = {name: "" if name in ("−log P", "−log Q") else float(c.sum()) for name, c in
              columns.items()}  # fmt: skip
    return [*rows, {"outcome": "sum", **summed}]


def numerical_gradient(P: Tensors, o: Tensors, h: float = 1e-5) -> Tensors:
    """(H(P, softmax(o + h eⱼ)) − H(P, softmax(o − h eⱼ))) / 2h for each j."""
    shifts = h * torch.eye(len(o), dtype=o.dtype)
    up, down = (-(P * log_softmax(o + sign * shifts)).sum(dim=-1) for sign in (1, -1))
    return (up - down) / (2 * h)


def descended(P: Tensors, Q: Tensors, lr: float, steps: int) -> list[float]:
    """H(P, softmax(o)) along o ← o − η (softmax(o) − P), from Q's logits."""
    o, costs = Q.clamp(min=1e-12).log(), []
    for _ in range(steps + 1):
        costs.append(float(-(P * log_softmax(o)).sum()))
        o = o - lr * (softmax(o) - P)
    return costs


def surprise_figure(P: Tensors, Q: Tensors) -> "Figure":
    """What each outcome is, is taken for, and costs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    at, width = np.arange(1, len(P) + 1), 0.38
    left.bar(at - width / 2, P.numpy(), width, color=INK, label="truth P")
    left.bar(at + width / 2, Q.numpy(), width, color=ACCENT, label="belief Q")
    left.set(xlabel="outcome", ylabel="probability", title="what is, and what is believed")
    parts = {"entropy": (P, INK), "cross-entropy": (Q, ACCENT)}
    for (name, (belief, colour)), side in zip(parts.items(), (-1, 1), strict=True):
        cost = -torch.special.xlogy(P, belief)
        label = f"{name} {float(cost.sum()):.4f} nats"
        heights = cost.nan_to_num(posinf=0.0).numpy()  # no bar is infinitely high
        right.bar(at + side * width / 2, heights, width, color=colour, label=label)
    right.set(xlabel="outcome", ylabel="its part of the mean surprise", title="P · surprisal")
    for axes in (left, right):
        axes.margins(y=0.3)  # room for the legend
        axes.legend(fontsize=9, loc="upper center", ncols=1)
    return figure


def descent_figure(P: Tensors, costs: list[float]) -> "Figure":
    """How the belief's cost falls to the entropy of the truth."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.plot(costs, color=ACCENT, lw=2, label="H(P, softmax(o))")
    axes.axhline(float(entropy(P)), color=SECOND, ls="--", label="H(P): no belief costs less")
    axes.set(xlabel="step of gradient descent on the logits", ylabel="nats")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure
