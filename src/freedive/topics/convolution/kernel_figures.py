"""Pictures of kernels, of what they answer, and of one on its way (sections 7.2.3 to 7.2.5)."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.topics.calculus.figures import ACCENT, INK, SECOND
from freedive.topics.convolution.drawing import draw_matrix, show_image, show_signed
from freedive.topics.convolution.kernels import KERNELS, Learning, hessian, stripes
from freedive.topics.convolution.scratch import corr2d

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def stripes_figure() -> "Figure":
    """The book's image, standing and lying, under the kernels for either kind of edge."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    for row, X in zip(figure.subplots(2, 3), (stripes(), stripes().T), strict=True):
        show_image(row[0], X, f"image of {X.shape[0]} × {X.shape[1]}")
        for axes, name in zip(row[1:], ("vertical edges", "horizontal edges"), strict=True):
            show_signed(axes, corr2d(X, KERNELS[name]), name)
    return figure


def gallery_figure(picture: Float[Tensor, "height width"]) -> "Figure":
    """Each kernel with its numbers; below, a garment through it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2 * (1 + len(KERNELS)), 3.9), layout="constrained")
    above, below = figure.subplots(2, 1 + len(KERNELS), height_ratios=(1, 1.6))
    above[0].axis("off")
    show_image(below[0], picture, "picture", vmin=0, vmax=1)
    for column, (name, K) in enumerate(KERNELS.items(), start=1):
        height, width = K.shape
        draw_matrix(above[column], K, ((3 - width) / 2, (3 - height) / 2))
        above[column].set(xlim=(-0.1, 3.1), ylim=(3.1, -0.1), aspect="equal")
        above[column].axis("off")
        above[column].set_title(name, fontsize=9)
        Y = corr2d(picture, K)
        if abs(float(K.sum()) - 1) < 1e-6:  # it keeps the brightness: again a picture
            show_image(below[column], Y, vmin=0, vmax=1)
        else:
            show_signed(below[column], Y)
    return figure


def path_figure(
    learnt: Learning, best: Float[Tensor, "1 2"], law: Float[Tensor, " losses"]
) -> "Figure":
    """The kernel's way over the loss, seen from above; beside it the losses and their law."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(10.5, 4.6), layout="constrained")
    plane, curve = figure.subplots(1, 2)
    path, (centre1, centre2) = learnt.kernels[:, 0].numpy(), best[0].tolist()
    reach = min(4.0, 1.15 * float((learnt.kernels - best).abs().max()) + 0.2)  # a way out is far
    along = torch.linspace(-reach, reach, 161, dtype=torch.float64)
    offsets = torch.stack(torch.meshgrid(along, along, indexing="xy"), dim=-1)
    loss = torch.einsum("xyi,ij,xyj->xy", offsets, hessian(), offsets).numpy() / 2
    k1, k2 = along.numpy() + centre1, along.numpy() + centre2
    levels = (loss.max() * torch.linspace(0.05, 1, 9) ** 2).tolist()
    plane.contour(k1, k2, loss, levels=levels, cmap="Greys_r", linewidths=0.8)
    plane.plot(*path.T, "o-", color=ACCENT, ms=4, lw=1, label="steps")
    plane.plot(*path[0], "s", color=INK, ms=8, label="first kernel")
    plane.plot(centre1, centre2, "*", color=SECOND, ms=15, label="best kernel", zorder=4)
    plane.set(xlabel="k1", ylabel="k2", xlim=(k1[0], k1[-1]), ylim=(k2[0], k2[-1]), aspect="equal")
    curve.semilogy(learnt.losses, "o", color=ACCENT, ms=5, label="losses")
    curve.semilogy(law.numpy(), "-", color=INK, lw=1, label="½ Σ λ c² (1 − lr·λ)^2t")
    curve.set(xlabel="step", ylabel="sum of squares")
    curve.xaxis.set_major_locator(MaxNLocator(integer=True))
    curve.grid(alpha=0.3)
    for axes in (plane, curve):
        axes.legend(fontsize=9)
    return figure
