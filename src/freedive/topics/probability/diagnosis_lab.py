"""An experiment on Bayes' rule: what one positive test says, and what two say (section 2.6.5)."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from freedive.catalog import lab
from freedive.core.figures import ACCENT, INK, SECOND
from freedive.core.hyperparameters import Probability
from freedive.core.report import Report
from freedive.topics.probability.bayes import DiagnosticTest, both_tests, evidence, posterior

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PEOPLE = 100_000  # among whom cases are counted


@lab("diagnosis", section="2.6.5")
def diagnosis(
    prior: Probability = 0.0015,
    sensitivity: Probability = 1.0,
    false_positive: Probability = 0.01,
    sensitivity_2: Probability = 0.98,
    false_positive_2: Probability = 0.03,
    overlap: Probability = 0.0,
) -> Report:
    """Whether one is ill after one positive test, and after two: Bayes' rule, step by step.

    Args:
        prior: P(H = 1), the share of people who are ill.
        sensitivity: P(D₁ = 1 | H = 1), how often the first test finds an illness.
        false_positive: P(D₁ = 1 | H = 0), how often it finds one that is none.
        sensitivity_2: the same of the second test.
        false_positive_2: the same of the second test.
        overlap: how far the tests err on the same people: 0 is independent given H, 1 always.
    """
    P = torch.tensor([1 - prior, prior], dtype=torch.float64)
    first, second = (
        DiagnosticTest(sensitivity, false_positive),
        DiagnosticTest(sensitivity_2, false_positive_2),
    )
    one, other = first.positive(P), second.positive(P)
    both = both_tests(first, second, P, overlap)
    after_one, after_both = posterior(P, one), posterior(P, both)
    beliefs = {
        "before any test": prior,
        "the first test positive": float(after_one[1]),
        "only the second positive": float(posterior(P, other)[1]) if evidence(P, other) else None,
        "both positive": float(after_both[1]),
    }
    return Report(
        numbers={
            "P(D1=1)": evidence(P, one),
            "P(H=1 | D1=1)": float(after_one[1]),
            "P(D1=1, D2=1 | H=0)": float(both[0]),
            "P(D1=1, D2=1 | H=1)": float(both[1]),
            "P(D1=1, D2=1)": evidence(P, both),
            "P(H=1 | D1=1, D2=1)": float(after_both[1]),
            "P(H=1 | D2=1) alone": beliefs["only the second positive"],
            "updated one after the other": float(
                posterior(after_one, other_given_one(both, one))[1]
            ),
        },
        tables={
            "by hand": steps(P, one, both),
            f"among {PEOPLE:,} people": [
                count_row("all", P),
                count_row("the first test positive", P * one),
                count_row("both positive", P * both),
            ],
        },
        figures={
            "beliefs": beliefs_figure(beliefs),
            "tree": tree_figure(P, one, both),
        },
        notes=[
            "A positive test of a rare illness is mostly an error: the healthy are so many that "
            "their few errors outnumber the ill.",
            f"A test's worth is P(D = 1 | H = 1) / P(D = 1 | H = 0): {ratio(one)} for the first, "
            f"{ratio(other)} for the second, {ratio(both)} for both.",
            "The two ratios multiply only if the tests err independently given H: try overlap 1.",
        ],
    )


def ratio(likelihoods: Tensor) -> str:
    """How many times as probable a positive test makes an illness, in odds."""
    healthy, ill = likelihoods.tolist()
    return f"{ill / healthy:.4g}" if healthy else "∞"


def other_given_one(both: Tensor, one: Tensor) -> Tensor:
    """P(D₂ = 1 | D₁ = 1, H) = P(D₁ = 1, D₂ = 1 | H) / P(D₁ = 1 | H); 0 where D₁ never is."""
    return torch.where(one > 0, both / one.clamp(min=1e-300), torch.zeros_like(both))


def steps(P: Tensor, one: Tensor, both: Tensor) -> list[dict[str, Any]]:
    """Each quantity with the numbers that it is made of."""
    rows = []
    for name, likelihoods in (("D1=1", one), ("D1=1, D2=1", both)):
        (healthy, ill), (seen_0, seen_1) = P.tolist(), likelihoods.tolist()
        total = evidence(P, likelihoods)
        rows.append({
            "of": f"P({name})",
            "steps": f"{seen_0:.4g} · {healthy:.4g} + {seen_1:.4g} · {ill:.4g}",
            "value": f"{total:.6g}",
        })  # fmt: skip
        rows.append({
            "of": f"P(H=1 | {name})",
            "steps": f"{seen_1:.4g} · {ill:.4g} / {total:.6g}",
            "value": f"{seen_1 * ill / total:.4f}",
        })  # fmt: skip
    return rows


def count_row(who: str, weights: Tensor) -> dict[str, Any]:
    """How many of these people are ill and healthy."""
    healthy, ill = (PEOPLE * weights).tolist()
    return {"who": who, "ill": f"{ill:,.1f}", "healthy": f"{healthy:,.1f}",
            "share ill": f"{ill / (ill + healthy):.4f}"}  # fmt: skip


def beliefs_figure(beliefs: dict[str, float | None]) -> "Figure":
    """The probability of being ill, from the prior to both tests, as bars."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    known = {name: p for name, p in beliefs.items() if p is not None}
    colours = {"before any test": INK, "both positive": ACCENT}
    bars = axes.barh(list(known), list(known.values()), height=0.6,
                     color=[colours.get(name, SECOND) for name in known])  # fmt: skip
    axes.bar_label(bars, [f"{p:.4f}" for p in known.values()], padding=4, fontsize=10)
    axes.set(xlim=(0, 1.12), xlabel="P(H = 1), the probability of being ill")
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    return figure


def tree_figure(P: Tensor, one: Tensor, both: Tensor) -> "Figure":
    """The probability tree: people, their state, the tests; on each branch its probability."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.6), layout="constrained")
    axes = figure.subplots()
    second = other_given_one(both, one)
    root = (0.0, 0.0)
    draw_node(axes, root, "everybody", PEOPLE, INK)
    for h, name, colour in ((1, "ill", ACCENT), (0, "healthy", INK)):
        side = 2.0 if h else -2.0
        state, positive, twice = (1.0, side), (2.0, side), (3.0, side)
        weights = [float(P[h]), float(P[h] * one[h]), float(P[h] * both[h])]
        branches = [float(P[h]), float(one[h]), float(second[h])]
        names = [name, "first test +", "both tests +"]
        places = [state, positive, twice]
        for start, end, p in zip([root, *places], places, branches, strict=False):
            draw_branch(axes, start, end, p, colour)
        for place, label, weight in zip(places, names, weights, strict=True):
            draw_node(axes, place, label, PEOPLE * weight, colour)
        for (x, _), p in zip(places[:2], branches[1:], strict=True):
            end = (x + 0.62, side * 0.42)
            draw_branch(axes, (x, side), end, 1 - p, "#8a8a8a")
            axes.text(end[0] + 0.03, end[1], "test −", fontsize=8.5, color="#6a6a6a", va="center")
    axes.set(xlim=(-0.35, 3.4), ylim=(-3.0, 3.0))
    axes.set_title(f"among {PEOPLE:,} people", fontsize=11)
    axes.axis("off")
    return figure


def draw_node(axes: "Axes", at: tuple[float, float], name: str, people: float, colour: str) -> None:
    """A group of people, and how many they are."""
    count = f"{people:,.1f}".removesuffix(".0")
    frame = {"boxstyle": "round,pad=0.35", "fc": "white", "ec": colour}
    text = axes.text(*at, f"{name}\n{count}", ha="center", va="center", fontsize=9.5, bbox=frame)
    text.set_color(colour)


def draw_branch(
    axes: "Axes", start: tuple[float, float], end: tuple[float, float], p: float, colour: str
) -> None:
    """A line, the thicker the more probable, with its probability."""
    (x, y), (u, v) = start, end
    axes.plot([x, u], [y, v], color=colour, lw=0.6 + 3 * p, alpha=0.6, zorder=1)
    axes.text(x + 0.55 * (u - x), y + 0.55 * (v - y), f"{p:.4g}", fontsize=9, color=colour,
              ha="center", va="center", bbox={"fc": "white", "ec": "none", "pad": 1})  # fmt: skip
