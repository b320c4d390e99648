"""An experiment on depth: how large activations and gradients are, layer by layer (section 5.4)."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import torch

from freedive.catalog import lab
from freedive.core.figures import ACCENT, INK, SECOND
from freedive.core.hyperparameters import Bounds, Whole
from freedive.core.random import generator
from freedive.core.report import Report
from freedive.topics.mlp.activations import ACTIVATIONS
from freedive.topics.mlp.initialization import (
    Initialization,
    Scales,
    growth,
    products,
    scales,
    symmetric_training,
    xavier_bound,
    xavier_sigma,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Name = Literal["none", "relu", "prelu", "sigmoid", "tanh", "gelu", "gelu-tanh", "swish"]
Depth = Annotated[int, Bounds(1, 100, whole=True)]
Width = Annotated[int, Bounds(2, 512, whole=True)]
Factors = Annotated[int, Bounds(1, 300, whole=True)]
COLOURS = dict(zip(get_args(Initialization), (ACCENT, "#8a5fbf", INK, "#6a9fd8", SECOND, "#d99a2b"),
                   strict=True))  # fmt: skip
BATCH, STEPS, DROPOUT = 64, 200, 0.5


@lab("vanishing-gradients", section="5.4")
def vanishing_gradients(
    activation: Name = "tanh",
    depth: Depth = 30,
    width: Width = 128,
    factors: Factors = 100,
    seed: Whole = 0,
) -> Report:
    """Signals and gradients in a deep network by initialisation; exploding products; symmetry.

    Args:
        activation: between the layers; none leaves them linear.
        depth: layers.
        width: units of each, and of the input.
        factors: random 4 × 4 matrices that are multiplied.
        seed: of all numbers.
    """
    X = torch.randn(BATCH, width, generator=generator(seed), dtype=torch.float64)
    found = {how: scales(X, how, activation, depth, seed) for how in get_args(Initialization)}
    M = products(4, factors, seed)[0]
    values = torch.linalg.svdvals(M)
    apart = {p: symmetric_training(p, STEPS, seed=seed) for p in (0.0, DROPOUT)}
    return Report(
        numbers={
            "Xavier's σ": xavier_sigma(width, width),
            "Xavier's bound for uniform weights": xavier_bound(width, width),
            f"log₁₀ of the largest entry of {factors} factors": float(M.abs().max().log10()),
            "expected of such products": factors * growth(4) / torch.log(torch.tensor(10.0)).item(),
            "second singular value over first": float(values[1] / values[0]),
            f"equal units after {STEPS} steps differ by": apart[0.0][-1],
            f"with dropout {DROPOUT:g}": apart[DROPOUT][-1],
        },
        tables={f"{depth} layers of {width}, {activation}": [
            scale_row(how, scale) for how, scale in found.items()
        ]},
        figures={
            "layers": layers_figure(found, activation),
            "sigmoid": sigmoid_figure(),
            "products": products_figure(factors, seed),
            "symmetry": symmetry_figure(apart),
        },
        notes=[
            "a layer multiplies the signal by about √(n σ²), and the gradient too: thirty layers "
            "do it thirty times",
            "ReLU takes half of the mean square away at each layer; He's factor 2 gives it back",
            "sigmoid multiplies a gradient by ¼ at most, whatever the weights",
            "units that begin equal stay equal: nothing tells them apart, unless dropout does",
        ],
    )  # fmt: skip


def scale_row(how: str, found: Scales) -> dict[str, Any]:
    """The last layer's activations, the first one's gradients, and how both change by layer."""
    depth = len(found.activations) - 1
    first, last = found.gradients[0], found.gradients[-1]
    return {
        "initialisation": how,
        "outputs (rms)": found.activations[-1],
        "gradient at the input (rms)": first,
        "gradient's factor per layer": (first / last) ** (1 / depth) if last else 0.0,
        "zeros in the last layer": found.zero[-1],
    }


def layers_figure(found: dict[str, Scales], activation: str) -> "Figure":
    """A line for each initialisation: activations left, gradients right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.4), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("activations", "gradients"), strict=True):
        for how, scale in found.items():
            sizes = torch.tensor(getattr(scale, name), dtype=torch.float64)
            axes.semilogy(sizes.clamp(min=1e-60), color=COLOURS[how], lw=2, label=how)
        axes.set(xlabel="layer (0 is the input)", ylabel="root mean square",
                 title=f"{name}, {activation}")  # fmt: skip
        axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def sigmoid_figure() -> "Figure":
    """The sigmoid with its slope, and what is left of a gradient after several of them."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    x = torch.linspace(-8, 8, 321, dtype=torch.float64)
    sigmoid = ACTIVATIONS["sigmoid"]
    left.plot(x, sigmoid.value(x), color=INK, lw=2, label="sigmoid")
    left.plot(x, sigmoid.slope(x), color=ACCENT, lw=2, ls="--", label="its slope, at most ¼")
    left.set(xlabel="x", title="flat where |x| is large")
    for name, colour in (("relu", SECOND), ("tanh", INK), ("sigmoid", ACCENT)):
        slope = float(ACTIVATIONS[name].slope(torch.tensor(1.0).double()))
        right.semilogy([slope**n for n in range(21)], "o-", ms=3, color=colour, label=name)
    right.set(xlabel="activations in a row, each at x = 1", ylabel="product of slopes")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def products_figure(factors: int, seed: int) -> "Figure":
    """The largest entry, and how fast the second singular value falls behind, by factors."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    counts = sorted({max(1, round(factors * part / 20)) for part in range(1, 21)})
    for colour, number in zip((INK, ACCENT, SECOND), range(3), strict=True):
        M = [products(4, n, seed + number)[0] for n in counts]
        values = torch.stack([torch.linalg.svdvals(m) for m in M])
        left.semilogy(counts, [float(m.abs().max()) for m in M], color=colour, lw=1.5,
                      label=f"seed {seed + number}")  # fmt: skip
        right.semilogy(counts, (values[:, 1] / values[:, 0]).clamp(min=1e-17), color=colour, lw=1.5)
    line = torch.tensor(counts) * growth(4)
    left.semilogy(counts, line.exp(), color="#9a9a9a", ls=":", label="expected rate")
    left.set(xlabel="factors", ylabel="largest entry", title="4 × 4 matrices from N(0, 1)")
    right.set(xlabel="factors", ylabel="σ₂ / σ₁", title="the product tends to rank one")
    left.legend()
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return figure


def symmetry_figure(apart: dict[float, list[float]]) -> "Figure":
    """How far equal hidden units come apart in training, with and without dropout."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 3.4), layout="constrained")
    axes = figure.subplots()
    for (dropout, differences), colour in zip(apart.items(), (INK, ACCENT), strict=True):
        label = f"dropout {dropout:g}" if dropout else "without dropout"
        axes.plot(differences, color=colour, lw=2, label=label)
    axes.set(xlabel="step", ylabel="largest difference of weights",
             title="four hidden units that begin equal")  # fmt: skip
    axes.grid(alpha=0.3)
    axes.legend()
    return figure
