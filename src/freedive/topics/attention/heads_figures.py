"""Pictures of what each head looks at, of an order that is changed, and of costs (11.5, 11.6)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

from freedive.topics.calculus.figures import ACCENT, INK, SECOND

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GREY = "#8a8a8a"
LOOKS = {
    "attention: scores and means, n²d": (INK, "o-"),
    "attention: its four maps, nd²": (INK, "o:"),
    "convolution, knd²": (SECOND, "^-"),
    "recurrence, nd²": (ACCENT, "s--"),
}


def heads_figure(weights: Float[Tensor, "heads queries keys"], words: list[str]) -> "Figure":
    """The weights of each head: a row for each word that asks."""
    from matplotlib.figure import Figure

    heads, across = len(weights), min(len(weights), 4)
    down, side = -(-heads // across), 0.8 + 0.3 * len(words)
    figure = Figure(figsize=(across * side + 1.4, down * (side + 0.3)), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    ticks = range(len(words))
    for number, axes in enumerate(panels.flat):
        if number >= heads:
            axes.axis("off")
            continue
        image = axes.imshow(weights[number], cmap="Blues", vmin=0, vmax=1)
        axes.set_title(f"head {number + 1}", fontsize=10)
        axes.set_xticks(ticks, words, rotation=90, fontsize=9)
        axes.set_yticks(ticks, words, fontsize=9)
        axes.tick_params(labelbottom=number + across >= heads)  # the last of each column
    for row in panels:
        row[0].set_ylabel("asks")
    figure.supxlabel("is asked", fontsize=10)
    figure.colorbar(image, ax=panels, label="weight", shrink=0.7, pad=0.02)
    return figure


def order_figure(gaps: Mapping[str, Float[Tensor, " words"]], words: list[str]) -> "Figure":
    """How much each word's output changes when the others stand in another order."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.5 + 0.55 * len(words), 3.6), layout="constrained")
    axes, width = figure.subplots(), 0.8 / len(gaps)
    for place, (name, gap) in enumerate(gaps.items()):
        at = [word + width * (place - (len(gaps) - 1) / 2) for word in range(len(words))]
        colour = (GREY, INK, ACCENT)[place]
        axes.bar(at, gap.clamp(min=1e-17), width, color=colour, label=name)
    axes.set(yscale="log", ylim=(1e-18, 1e4), ylabel="change of the output")
    axes.set_xticks(range(len(words)), words, rotation=45 if len(words) > 6 else 0)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(title="positions", fontsize=8, title_fontsize=8, ncols=3, loc="upper center")
    return figure


def costs_figure(
    lengths: list[int],
    counted: Mapping[str, list[int]],
    paths: Mapping[str, list[int]],
    meet: float,
) -> "Figure":
    """Multiplications of a layer by the number of tokens; the way from the first to the last.

    Args:
        lengths: n.
        counted: by kind of operation, in the order of `LOOKS`.
        paths: layers or steps, of attention, convolution and recurrence.
        meet: n at which attention costs as much as its maps.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, (colour, style) in LOOKS.items():
        left.plot(lengths, counted[name], style, color=colour, label=name)
    left.axvline(meet, color=GREY, lw=0.8, ls=":", label=f"n = 2d = {meet:g}")
    left.set(ylabel="multiplications of one layer")
    for (name, path), (colour, style) in zip(
        paths.items(), ((INK, "o-"), (SECOND, "^-"), (ACCENT, "s--")), strict=True
    ):
        right.plot(lengths, path, style, color=colour, label=name)
    right.set(ylabel="from the first token to the last")
    for axes in (left, right):
        axes.set(xscale="log", yscale="log", xlabel="tokens n")
        axes.set_xticks(lengths, [str(n) for n in lengths])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return figure
