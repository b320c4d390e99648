"""The figures of this room's labs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def shrinking_figure(distances: Sequence[float]) -> "Figure":
    """How far apart two inputs are behind each block, on a logarithmic axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(range(len(distances)), distances, marker="o")
    axes.set(xlabel="blocks passed", ylabel="distance of two inputs", yscale="log")
    axes.set_xticks(range(len(distances)))
    axes.grid(alpha=0.3)
    return figure


def histograms(drawn: Mapping[str, Tensor]) -> "Figure":
    """How the numbers of each initialiser are spread, three in a row."""
    from matplotlib.figure import Figure

    nrows = -(-len(drawn) // 3)
    figure = Figure(figsize=(9, 2.6 * nrows), layout="constrained")
    cells = figure.subplots(nrows, 3, squeeze=False).flat
    for axes, (name, weight) in zip(cells, drawn.items(), strict=False):
        axes.hist(weight.flatten().tolist(), bins=41, color="C0")
        axes.set_title(name)
        axes.set_xlabel("weight")
        axes.set_yticks([])
    return figure


def spectrum_figure(
    signal: Float[Tensor, "time"], spectrum: Float[Tensor, "frequencies"]
) -> "Figure":
    """A signal, and below it the magnitudes of its frequencies."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    above, below = figure.subplots(2)
    above.plot(signal.tolist())
    above.set(xlabel="time", ylabel="signal")
    below.bar(range(len(spectrum)), spectrum.tolist())
    below.set(xlabel="frequency (waves in the signal)", ylabel="magnitude")
    return figure
