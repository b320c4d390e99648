"""Pictures of gradients through time: what is kept, what it costs, and why it fades (9.7)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from freedive.topics.calculus.figures import ACCENT, INK, SECOND
from freedive.topics.rnn.bptt import Partials, pieces, products

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Rows = Sequence[Mapping[str, Any]]
PALE = ("#d6e0ea", "#cfeae6")


def strategies_figure(text: str, tau: int, pi: float, gates: Tensor) -> "Figure":
    """How a text is cut; below, the weight of each term b_i in the sum a_t of each step."""
    from matplotlib.figure import Figure

    steps = len(text)
    whole, cut = torch.ones(steps).double(), pieces(steps, tau)
    rows = {"whole": whole, f"in pieces of {tau}": cut, f"at random, π = {pi:g}": gates}
    kept = {
        "whole": products(whole),
        f"truncated after τ = {tau}": products(whole).triu(1 - tau),
        f"in pieces of {tau}": products(cut),
        f"at random, π = {pi:g}": products(gates),
    }
    figure = Figure(figsize=(13, 5), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(1, 1.75))
    above, below = parts
    draw_rows(above.subplots(), text, rows)
    panels = below.subplots(1, len(kept), sharey=True)
    largest = max(2.0, float(kept[f"at random, π = {pi:g}"].max()))
    for axes, (title, weights) in zip(panels, kept.items(), strict=True):
        image = draw_weights(axes, weights, largest)
        axes.set_title(title, fontsize=10)
    panels[0].set_ylabel("step t")
    ticks = [2.0**n for n in range(20) if 2**n <= largest][:: 1 + int(largest > 100)]
    bar = below.colorbar(image, ax=panels, label="weight of the term", pad=0.01)
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    bar.minorticks_off()
    return figure


def draw_rows(axes: "Axes", text: str, rows: Mapping[str, Tensor]) -> None:
    """The text once for each strategy, in boxes of what hangs together."""
    from matplotlib.patches import Rectangle

    for line, gates in enumerate(rows.values()):
        starts = [0, *(i for i in range(1, len(text)) if not gates[i])]
        for piece, (start, end) in enumerate(zip(starts, [*starts[1:], len(text)], strict=True)):
            box = Rectangle((start + 0.06, line + 0.12), end - start - 0.12, 0.76)
            box.set(facecolor=PALE[piece % 2], edgecolor=INK, lw=1)
            axes.add_patch(box)
        for place, letter in enumerate(text):
            shown = axes.text(place + 0.5, line + 0.52, letter, ha="center", va="center")
            shown.set(fontsize=9, in_layout=False)
    axes.set_yticks([line + 0.5 for line in range(len(rows))], list(rows))
    axes.set(xlim=(0, len(text)), ylim=(len(rows), 0), xticks=[])
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def draw_weights(axes: "Axes", weights: Tensor, largest: float) -> Any:
    """A row for each step, a column for each term; white is left out, 1 is pale, more is darker."""
    from matplotlib.colors import LogNorm

    shown, edge = weights.where(weights > 0, torch.nan).numpy(), len(weights) + 0.5
    look: dict[str, Any] = {"cmap": "viridis_r", "norm": LogNorm(0.7, largest)}
    image = axes.imshow(shown, extent=(0.5, edge, edge, 0.5), **look)
    axes.set(xlabel="term i")
    axes.locator_params(integer=True)
    return image


def tradeoff_figure(terms: Tensor, truncated: Rows, randomised: Rows) -> "Figure":
    """How the terms fall with their distance; the error of every strategy against its cost."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(terms, "o-", color=INK, ms=4)
    left.set(xlabel="distance t − i", ylabel="|c … c b|, root mean square")
    left.set_title("how large the terms are", fontsize=10)
    series = (
        ("truncated: bias", truncated, "terms kept", "error", "o-", INK),
        ("in pieces: bias", truncated, "terms kept, pieces", "error, pieces", "s--", SECOND),
        ("at random: deviation", randomised, "terms kept", "standard deviation", "^-.", ACCENT),
        ("at random: of the draws", randomised, "terms kept", "of the draws", "x", INK),
    )
    for label, rows, cost, error, style, colour in series:
        seen = [row for row in rows if row[error] > 1e-12]  # what keeps all has only rounding
        xs, ys = ([row[column] for row in seen] for column in (cost, error))
        right.plot(xs, ys, style, color=colour, ms=5, label=label)
    right.set(xlabel="terms kept for a step, on average", ylabel="error / full gradient")
    right.set_title("what a strategy leaves out, or adds by chance", fontsize=10)
    right.legend(fontsize=8)
    for axes in (left, right):
        axes.set_yscale("log", nonpositive="mask")
        axes.grid(alpha=0.3)
    return figure


def estimates_figure(partials: Partials, tau: int, pi: float, estimates: Tensor) -> "Figure":
    """Where the estimates of one sequence lie: from random cuts many, from the others one each."""
    from matplotlib.figure import Figure

    full, steps = float(partials.full()), partials.b.shape[-1]
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    low, high = estimates.quantile(torch.tensor([0.005, 0.995]).double()).tolist()
    middle, half = (low + high) / 2, max(high - low, 0.1 * abs(full)) / 2
    counts, edges = torch.histogram(estimates, 40, range=(middle - half, middle + half))
    axes.stairs(counts, edges, color=ACCENT, fill=True, alpha=0.35, label=f"at random, π = {pi:g}")
    marks = {
        "full": (full, INK, "-"),
        "mean of the random ones": (float(estimates.mean()), ACCENT, "--"),
        f"truncated after {tau}": (float(partials.truncated(tau)), SECOND, "-."),
        f"in pieces of {tau}": (float(partials.gated(pieces(steps, tau))), "#e9a03b", ":"),
    }
    for label, (place, colour, style) in marks.items():
        axes.axvline(place, color=colour, ls=style, lw=2, label=f"{label}: {place:.3g}")
    axes.set(xlabel="∂L/∂w_h of one sequence", ylabel="draws, the middle 99 %")
    axes.legend(fontsize=8)
    return figure


def powers_figure(
    W: Tensor, powers: Mapping[float, Tensor], small: Mapping[str, Tensor]
) -> "Figure":
    """Eigenvalues at radius 1; the norm of each power, beside ρᵏ; and of three small matrices."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.3), layout="constrained")
    plane, left, right = figure.subplots(1, 3)
    draw_eigenvalues(plane, W)
    for (radius, norms), colour in zip(powers.items(), colours(len(powers)), strict=True):
        k = torch.arange(len(norms))
        left.plot(k, norms, color=colour, lw=2, label=f"ρ = {radius:g}")
        left.plot(k, radius ** k.double(), color=colour, lw=1, ls=":")
    left.set_title("at other radii; dotted: ρᵏ", fontsize=10)
    for (name, norms), colour in zip(small.items(), (ACCENT, INK, SECOND), strict=True):
        right.plot(norms, color=colour, lw=2, label=name)
    right.set_title("eigenvalues that mislead", fontsize=10)
    for axes in (left, right):
        axes.set(xlabel="k", ylabel="‖(Wᵀ)ᵏ‖", yscale="log")
        axes.axhline(1, color="black", lw=0.8, zorder=0)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return figure


def draw_eigenvalues(axes: "Axes", W: Tensor) -> None:
    """Where they lie in the complex plane, those of the largest |λ| marked, and the unit circle."""
    circle = torch.polar(torch.ones(200), torch.linspace(0, 2 * torch.pi, 200))
    axes.plot(circle.real, circle.imag, color="black", lw=1)
    found = torch.linalg.eigvals(W)
    largest = found[found.abs() > found.abs().max() * (1 - 1e-9)]
    axes.plot(found.real, found.imag, "o", color=INK, ms=4)
    axes.plot(largest.real, largest.imag, "o", color=ACCENT, ms=7)
    axes.set(aspect="equal", xlabel="real part", ylabel="imaginary part")
    axes.set_title("eigenvalues of W at ρ = 1; red: the largest |λ|", fontsize=10)
    axes.grid(alpha=0.3)


def distance_figure(linear: Mapping[float, Tensor], tanh: Mapping[float, Tensor]) -> "Figure":
    """Gradients by distance without an activation and behind tanh, the middle half as a band."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.4), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    quarters = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
    for axes, title, family in zip(panels, ("no activation", "tanh"), (linear, tanh), strict=True):
        for (radius, norms), colour in zip(family.items(), colours(len(family)), strict=True):
            low, middle, high = norms.quantile(quarters, dim=1)
            axes.plot(middle, color=colour, lw=2, label=f"ρ = {radius:g}")
            axes.fill_between(torch.arange(len(low)), low, high, color=colour, alpha=0.2, lw=0)
        axes.set_yscale("log", nonpositive="mask")
        axes.set(xlabel="distance T − t", ylim=limits(linear, tanh))
        axes.set_title(title, fontsize=10)
        axes.axhline(1, color="black", lw=0.8, zorder=0)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("‖∂L/∂h_t‖, where ‖∂L/∂h_T‖ = 1")
    panels[1].legend(fontsize=8)
    return figure


def limits(*families: Mapping[float, Tensor]) -> tuple[float, float]:
    """One range for all gradients, down to 10⁻²⁰ at the lowest."""
    every = torch.cat([norms.flatten() for family in families for norms in family.values()])
    return max(float(every.min()) / 2, 1e-20), 2 * float(every.max())


def colours(number: int) -> list[Any]:
    """As many colours, from what vanishes to what explodes."""
    from matplotlib import colormaps

    return list(colormaps["turbo"](torch.linspace(0.08, 0.92, number).tolist()))
