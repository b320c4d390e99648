"""Pictures for the labs of this room: slopes, jumps of slope, and maps of gradients."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from freedive.core.figures import ACCENT as ACCENT
from freedive.core.figures import INK as INK
from freedive.core.figures import SECOND as SECOND
from freedive.topics.calculus.derivative import Curve, tangent_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def tangent_figure(
    formula: str, f: Curve, x: float, h: Tensor, errors: Mapping[str, Tensor]
) -> "Figure":
    """Secants that turn into the tangent; beside it, how the quotients' errors fall with h."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    xs = torch.linspace(x - 1.5, x + 1.5, 200, dtype=torch.float64)
    at, line = torch.tensor(x, dtype=torch.float64), tangent_line(f, x)
    for step in (1.0, 0.5, 0.25):
        slope = (f(at + step) - f(at)) / step
        label = "secants, h = 1, ½, ¼" if step == 1.0 else None
        left.plot(xs, f(at) + slope * (xs - x), color=SECOND, lw=1, alpha=0.7, label=label)
        left.plot(x + step, float(f(at + step)), "o", color=SECOND, ms=4)
    left.plot(xs, f(xs), color=INK, lw=2, label=f"f(x) = {formula}")
    left.plot(xs, line(xs), color=ACCENT, ls="--", label=f"tangent, slope {line.slope:.3g}")
    left.plot(x, float(f(at)), "o", color=ACCENT)
    low, high = float(f(xs).min()), float(f(xs).max())
    margin = 0.15 * (high - low) or 1.0
    left.set(xlabel="x", ylabel="f(x)", ylim=(low - margin, high + margin))
    for (name, error), style in zip(errors.items(), ("o-", "s--"), strict=True):
        right.loglog(h, error.clamp(min=1e-17), style, color=INK if style == "o-" else ACCENT,
                     ms=4, label=name)  # fmt: skip
    right.set(xlabel="h", ylabel="distance from f′(x)")
    right.invert_xaxis()
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def piecewise_figure(f: Callable[[float], tuple[float, float]], reach: float) -> "Figure":
    """A function with loops and branches, and its gradient, which jumps where the path changes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    right_half = torch.linspace(reach / 20, reach, 250, dtype=torch.float64).tolist()
    points = [-a for a in reversed(right_half)] + right_half
    values, slopes = zip(*(f(a) for a in points), strict=True)
    left.plot(right_half, values[250:], ".", color=INK, ms=2.5)
    left.set(xlabel="a", ylabel="d = f(a), a > 0", title="straight pieces")
    right.plot(points, slopes, ".", color=ACCENT, ms=2.5)
    right.set(xlabel="a", ylabel="gradient of d", title="their slopes, d / a", yscale="log")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return figure


def maps_figure(forward: Mapping[str, Tensor], backward: Mapping[str, Tensor | None]) -> "Figure":
    """Arrays as coloured tiles, gradients below: red positive, blue negative, white zero."""
    from matplotlib.figure import Figure

    widths = [array.shape[1] + 2 for array in forward.values()]
    figure = Figure(figsize=(min(max(9, 0.25 * sum(widths)), 16), 5), layout="constrained")
    grid = figure.subplots(2, len(forward), squeeze=False, width_ratios=widths)
    for row, (arrays, sign) in enumerate(((forward, "{}"), (backward, "∂J/∂{}"))):
        for axes, (name, array) in zip(grid[row], arrays.items(), strict=True):
            if array is None:
                axes.axis("off")
                continue
            largest = float(array.abs().max())
            reach = largest or 1.0
            axes.imshow(array.numpy(), cmap="RdBu_r", vmin=-reach, vmax=reach)
            axes.set(xticks=[], yticks=[], xlabel=f"to ±{largest:.2g}" if largest else "all 0")
            axes.set_title(sign.format(name))
    return figure
