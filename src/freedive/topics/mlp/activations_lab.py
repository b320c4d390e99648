"""An experiment on activation functions: values, slopes, pieces, and what width can reach."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.catalog import lab
from freedive.core.figures import ACCENT, INK, SECOND
from freedive.core.hyperparameters import Bounds, Whole
from freedive.core.random import generator
from freedive.core.report import Report
from freedive.topics.mlp.activations import ACTIVATIONS, Activation, best_fit, kinks, relu

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Name = Literal["relu", "prelu", "sigmoid", "tanh", "gelu", "gelu-tanh", "swish"]
Units = Annotated[int, Bounds(1, 256, whole=True)]
Depth = Annotated[int, Bounds(1, 100, whole=True)]
REACH = 6.0  # of the plots
WIDTHS = (1, 2, 4, 8, 16, 32)


@lab("activations", section="5.1.2")
def activations(
    activation: Name = "relu", units: Units = 8, depth: Depth = 10, seed: Whole = 0
) -> Report:
    """Seven activation functions with their slopes; a ReLU network's pieces; fits by width.

    Args:
        activation: for the fits by width.
        units: hidden units of the network that is taken to pieces.
        depth: activations in a row whose slopes are multiplied.
        seed: of the weights.
    """
    x = torch.linspace(-REACH, REACH, 1201, dtype=torch.float64)
    rows = [function_row(name, function, x, depth) for name, function in ACTIVATIONS.items()]
    chance = generator(seed)
    w1, b1, w2 = torch.randn(3, units, generator=chance, dtype=torch.float64)
    bends = kinks(w1, b1, w2)
    fits = fits_by_width(ACTIVATIONS[activation], seed)
    return Report(
        numbers={
            "pieces of the ReLU network": len(bends) + 1,
            "most pieces that it could have": units + 1,
            **{f"error of the fit, {n} units": error for n, (_, error) in fits.items()},
        },
        tables={"values and slopes": rows},
        figures={
            "functions": functions_figure(x),
            "pieces": pieces_figure(w1, b1, w2, bends),
            "fits": fits_figure(fits, activation),
        },
        notes=[
            "the slopes of saturated units multiply to nothing; ReLU's are 1 or 0",
            "a ReLU network of one input is a chain of straight lines, bent where a unit begins",
            "with more units a continuous function on an interval is met as nearly as wanted; that "
            "training finds these weights is another matter",
        ],
    )


def function_row(name: str, function: Activation, x: Tensor, depth: int) -> dict[str, Any]:
    """A function's figures: by formula, and how far torch's value and autograd's slope differ."""
    at = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(function.torchs(at).sum(), at)
    away = x != 0  # at 0 ReLU has no derivative
    return {
        "function": name,
        "at −1": float(function.value(torch.tensor(-1.0).double())),
        "at 1": float(function.value(torch.tensor(1.0).double())),
        "largest slope": float(function.slope(x).max()),
        "slope at −6": float(function.slope(x[:1])),
        f"slope at −1, {depth} in a row": float(
            function.slope(torch.tensor(-1.0).double()) ** depth
        ),
        "value off torch's": float((function.value(x) - function.torchs(x)).abs().max()),
        "slope off autograd's": float((function.slope(x) - slope)[away].abs().max()),
    }


def fits_by_width(function: Activation, seed: int) -> dict[int, tuple[Tensor, float]]:
    """The best fit to a curve with so many hidden units of random inner weights; its error."""
    x, y = target()
    inner = torch.randn(2, max(WIDTHS), generator=generator(seed, 1), dtype=torch.float64) * 2
    fits = {}
    for units in WIDTHS:
        fit = best_fit(x, y, inner[:, :units], function.value)
        fits[units] = (fit, float((fit - y).square().mean()))
    return fits


def target() -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """A wave on an interval."""
    x = torch.linspace(-2, 2, 401, dtype=torch.float64)
    return x, torch.sin(3 * x) + 0.3 * x


def functions_figure(x: Float[Tensor, " n"]) -> "Figure":
    """Each function with its slope."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5), layout="constrained")
    grid = figure.subplots(2, 4, sharex=True)
    for axes, (name, function) in zip(grid.flat, ACTIVATIONS.items(), strict=False):
        axes.axhline(0, color="#c0c0c0", lw=0.8)
        axes.plot(x, function.value(x), color=INK, lw=2, label="value")
        axes.plot(x, function.slope(x), color=ACCENT, lw=1.5, ls="--", label="slope")
        axes.set(title=name, ylim=(-1.3, 2.2))
        axes.grid(alpha=0.3)
    grid.flat[-1].axis("off")
    handles, labels = grid.flat[0].get_legend_handles_labels()
    grid.flat[-1].legend(handles, labels, loc="center")
    return figure


def pieces_figure(w1: Tensor, b1: Tensor, w2: Tensor, bends: Tensor) -> "Figure":
    """The network's output, its bends, and the units that it is the sum of."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    x = torch.linspace(-3, 3, 1201, dtype=torch.float64)
    hidden = relu(x[:, None] * w1 + b1) * w2
    axes.plot(x, hidden, color="#b5b5b5", lw=1)
    axes.plot([], [], color="#b5b5b5", lw=1, label="each unit's part")
    axes.plot(x, hidden.sum(dim=1), color=INK, lw=2, label="their sum")
    seen = bends[bends.abs() < 3]
    at = (relu(seen[:, None] * w1 + b1) * w2).sum(dim=1)
    axes.plot(seen, at, "o", color=ACCENT, label=f"bends ({len(seen)} of {len(bends)} in sight)")
    axes.set(xlabel="x", ylabel="output", title=f"{len(w1)} hidden ReLUs: straight pieces")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def fits_figure(fits: dict[int, tuple[Tensor, float]], name: str) -> "Figure":
    """The curve with its fits, and their error by width."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    x, y = target()
    left.plot(x, y, color="#b5b5b5", lw=5, label="the function")
    for units, colour in zip((2, 4, 16), (SECOND, ACCENT, INK), strict=True):
        left.plot(x, fits[units][0], color=colour, lw=1.5, label=f"{units} units")
    left.set(xlabel="x", title=f"best fits, {name}")
    left.legend(fontsize=9)
    right.loglog(list(fits), [error for _, error in fits.values()], "o-", color=INK)
    right.set(xlabel="hidden units", ylabel="mean squared error", title="error by width")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return figure
