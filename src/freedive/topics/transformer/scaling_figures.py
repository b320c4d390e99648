"""The picture of a scaling law: losses on a line, and how each run came there (section 11.9.4)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from freedive.core.figures import ACCENT, INK, SECOND
from freedive.topics.transformer.power_law import PowerLaw

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELS = {
    "parameters": "parameters N, without embedding and head",
    "data": "tokens read, D",
    "compute": "operations C = 6ND",
}
SMOOTHING = 16  # steps that a mean of the training loss goes over


def scaling_figure(
    by: str, runs: Sequence[Any], x: Sequence[float], line: PowerLaw, floor: PowerLaw
) -> "Figure":
    """Held-out losses with both laws, on logarithmic axes; beside it, the training losses.

    Args:
        by: what grows from run to run.
        runs: each with ``width``, ``tokens``, ``loss`` and ``losses``; the last is foretold.
        x: the number that grows, of each run.
        line, floor: laws through all runs but the last.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_laws(left, x, [run.loss for run in runs], line, floor)
    left.set(xlabel=LABELS[by], ylabel="held-out loss, nats a token")
    draw_training(right, by, runs)
    return figure


def draw_laws(
    axes: "Axes", x: Sequence[float], losses: Sequence[float], line: PowerLaw, floor: PowerLaw
) -> None:
    """Points and laws; the last point is hollow, since the laws do not know it."""
    from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator, ScalarFormatter

    low, high = min(x), max(x)
    grid = [low * (high / low) ** (i / 100) for i in range(101)]
    straight = f"{line.scale:.3g} x^(−{line.exponent:.3f})"
    bent = f"{floor.floor:.2f} + {floor.scale:.3g} x^(−{floor.exponent:.3f})"
    axes.plot(grid, [line(at) for at in grid], color=ACCENT, lw=2, label=straight)
    axes.plot(grid, [floor(at) for at in grid], color=SECOND, lw=2, ls="--", label=bent)
    axes.plot(x[:-1], losses[:-1], "o", color=INK, label="measured, fitted to")
    axes.plot(x[-1], losses[-1], "o", color=INK, mfc="white", mew=2, ms=8, label="foretold")
    axes.set(xscale="log", yscale="log")
    axes.yaxis.set_major_locator(MaxNLocator(7))  # a loss spans less than one power of ten
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=9)


def draw_training(axes: "Axes", by: str, runs: Sequence[Any]) -> None:
    """The training loss of each run by the tokens it has read, as a running mean."""
    from matplotlib import colormaps

    for number, run in enumerate(runs):
        means = running_means(run.losses)
        each = run.tokens / len(run.losses)
        read = [each * (step + 1) for step in range(len(means))]
        colour = colormaps["viridis"](0.9 * number / (len(runs) - 1))
        label = f"{run.tokens:,} tokens" if by == "data" else f"width {run.width}"
        axes.plot(read, means, color=colour, lw=1.5, label=label)
    axes.set(xlabel="tokens read", ylabel=f"training loss, mean of {SMOOTHING} steps")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, ncols=2)


def running_means(losses: Sequence[float]) -> list[float]:
    """The mean of each loss and those before it, up to SMOOTHING of them."""
    pieces = [losses[max(0, end - SMOOTHING) : end] for end in range(1, len(losses) + 1)]
    return [sum(piece) / len(piece) for piece in pieces]
