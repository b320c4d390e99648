"""An experiment on Markov models and on the order of a factorisation (section 9.1.2)."""

from typing import TYPE_CHECKING, Annotated, Any

import torch
from torch import Tensor

from freedive.catalog import lab
from freedive.core.hyperparameters import Bounds, Whole
from freedive.core.random import generator
from freedive.core.report import Report
from freedive.topics.calculus.figures import ACCENT, INK, SECOND
from freedive.topics.sequences import markov

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TIMES = 12  # steps of the chain whose states are followed
Row = dict[str, Any]


@lab("markov", section="9.1.2")
def markov_models(
    num_symbols: Annotated[int, Bounds(2, 5, whole=True)] = 3,
    length: Annotated[int, Bounds(2, 7, whole=True)] = 5,
    seed: Whole = 0,
) -> Report:
    """What a Markov model of each order loses of a joint distribution, in both directions.

    Args:
        num_symbols: m, how many symbols there are.
        length: T, symbols in a sequence.
        seed: of all distributions.
    """
    joints = drawn(num_symbols, length, seed)
    free = joints["no chain"]
    ways = {"forwards": markov.forward_factors(free), "backwards": markov.reverse_factors(free)}
    told = {way: [markov.entropy(free, f) for f in factors] for way, factors in ways.items()}
    logits = torch.randn(num_symbols, num_symbols, generator=generator(seed, 9)).double()
    transition = torch.softmax(2 * logits, dim=1)
    twice = markov.two_step(transition) - transition @ transition
    losses = loss_rows(joints)
    return Report(
        numbers={
            "sequences": num_symbols**length,
            **{f"product {way} away from the joint": away(ways[way], free) for way in ways},
            "two steps away from T²": float(twice.abs().max()),
            "entropy of a sequence, nats": markov.entropy(free, free),
        },
        tables={
            "lost by a Markov model of order τ, KL in nats": losses,
            "entropy of each factor, nats": [
                {"symbol": f"x{t + 1}", **{way: found[t] for way, found in told.items()}}
                for t in range(length)
            ],
        },
        figures={"orders": orders_figure(losses, told), "two-steps": steps_figure(transition)},
        notes=[
            "A model of order τ loses nothing of a chain of that order, and ever less of what is "
            "no chain.",
            "Both directions give the joint exactly, with different factors whose entropies have "
            "one sum: that a factorisation works does not tell what causes what.",
        ],
    )


def drawn(num_symbols: int, length: int, seed: int) -> dict[str, Tensor]:
    """Chains of order 0, 1 and 2, and a distribution that is none."""
    chains = {
        f"chain of order {order}": markov.random_chain(
            num_symbols, length, order, generator(seed, order)
        )
        for order in range(3)
    }
    return {**chains, "no chain": markov.random_joint(num_symbols, length, generator(seed, 3))}


def away(factors: list[Tensor], joint: Tensor) -> float:
    """The largest difference of a product of factors from the joint distribution."""
    product = torch.ones_like(joint)
    for factor in factors:
        product = product * factor
    return float((product - joint).abs().max())


def loss_rows(joints: dict[str, Tensor]) -> list[Row]:
    """KL from each distribution to its Markov model, by order."""
    length = joints["no chain"].dim()
    return [
        {
            "τ": order,
            **{
                name: abs(markov.divergence(P, markov.markov_approximation(P, order)))
                for name, P in joints.items()
            },
        }
        for order in range(length)
    ]


def orders_figure(losses: list[Row], told: dict[str, list[float]]) -> "Figure":
    """What each order loses, and the entropies of the factors in both directions."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    orders = [row["τ"] for row in losses]
    looks = zip(("-o", "-s", "-^", "--D"), (SECOND, INK, ACCENT, "#8a8a8a"), strict=True)
    for name, (style, colour) in zip(list(losses[0])[1:], looks, strict=True):
        left.plot(orders, [row[name] for row in losses], style, color=colour, ms=5, label=name)
    left.set(xlabel="order τ of the Markov model", ylabel="KL to the truth, nats", xticks=orders)
    for i, (way, found) in enumerate(told.items()):
        bottom = 0.0
        for t in range(len(found)) if way == "forwards" else reversed(range(len(found))):
            shade = 0.25 + 0.65 * t / max(len(found) - 1, 1)
            right.barh(i, found[t], 0.55, bottom, color=INK, alpha=shade, edgecolor="white")
            right.text(bottom + found[t] / 2, i, f"$x_{t + 1}$", ha="center", va="center",
                       color="white" if shade > 0.5 else "black")  # fmt: skip
            bottom += found[t]
    right.set(yticks=[0, 1], yticklabels=list(told), ylim=(1.6, -0.6))
    right.set(xlabel="entropy of each factor, nats")
    left.grid(alpha=0.3)
    left.legend()
    return figure


def steps_figure(transition: Tensor) -> "Figure":
    """One step, two steps, and where a chain is after many, wherever it began."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.6), layout="constrained")
    one, two, many = figure.subplots(1, 3, width_ratios=(1, 1, 1.7))
    show_transition(one, transition, "one step: T")
    show_transition(two, markov.two_step(transition), "two steps: T²")
    m = len(transition)
    for start, colour in ((0, INK), (m - 1, ACCENT)):
        first = torch.eye(m, dtype=transition.dtype)[start]
        shares = markov.visits(first, transition, TIMES)
        label = f"begun in state {start + 1}"
        many.plot(range(1, TIMES + 1), shares[:, 0], "-o", color=colour, ms=4, label=label)
    many.set(xlabel="t", ylabel="P(x$_t$ = 1)", ylim=(-0.03, 1.03), title="the start is forgotten")
    many.grid(alpha=0.3)
    many.legend()
    return figure


def show_transition(axes: "Axes", T: Tensor, title: str) -> None:
    """A matrix of probabilities with its numbers."""
    axes.imshow(T.numpy(), cmap="Blues", vmin=0, vmax=1)
    for (i, j), p in zip(
        torch.cartesian_prod(*[torch.arange(len(T))] * 2), T.flatten(), strict=True
    ):
        shade = "white" if p > 0.5 else "black"
        axes.text(int(j), int(i), f"{float(p):.2f}", ha="center", va="center", color=shade)
    ticks, names = range(len(T)), [str(state + 1) for state in range(len(T))]
    axes.set(xlabel="next", ylabel="now", title=title)
    axes.set_xticks(ticks, names)
    axes.set_yticks(ticks, names)
