"""Experiments with kernels: made by hand, and learnt (sections 7.2.3 to 7.2.5)."""

from typing import Annotated, Any

import torch
from torch import Tensor

from freedive.catalog import lab
from freedive.core.errors import unknown
from freedive.core.hyperparameters import Bounds, Whole
from freedive.core.report import Report
from freedive.data.garments import CLASSES, draw_garments
from freedive.topics.convolution.drawing import short
from freedive.topics.convolution.kernel_figures import gallery_figure, path_figure, stripes_figure
from freedive.topics.convolution.kernels import (
    EDGE,
    KERNELS,
    first_kernel,
    hessian,
    learn_kernel,
    predicted_losses,
    step_limit,
    stripes,
)
from freedive.topics.convolution.scratch import convolve2d, corr2d

Side = Annotated[int, Bounds(8, 128, whole=True)]


@lab("edge-detection", section="7.2.3")
def edge_detection(garment: str = "coat", size: Side = 28, seed: Whole = 0) -> Report:
    """Kernels for edges, lines, blur and sharpening, on the book's stripes and on a garment.

    Args:
        garment: which one: coat, dress, bag, sneaker, …
        size: height and width of its picture.
        seed: of the drawing.
    """
    if garment not in CLASSES:
        raise unknown("garment", garment, CLASSES)
    drawn = draw_garments(torch.tensor([CLASSES.index(garment)]), size, seed)[0, 0]
    return Report(
        numbers={
            "a row of edges": corr2d(stripes(), EDGE)[0].tolist(),
            "largest edge in the transposed stripes": strongest(stripes().T, EDGE),
        },
        tables={"kernels": [kernel_row(name, kernel) for name, kernel in KERNELS.items()]},
        figures={"stripes": stripes_figure(), "gallery": gallery_figure(drawn / 255)},
        notes=[
            "Red is positive, blue negative: an edge has a sign, +1 from white to black.",
            "A kernel for vertical edges answers nothing to horizontal ones, and the transposed "
            "kernel the other way round.",
            "A kernel that sums to 0 is blind to flat areas, one that sums to 1 keeps them.",
        ],
    )


def strongest(X: Tensor, K: Tensor) -> float:
    """The largest answer to an image, its sign left out."""
    return float(corr2d(X, K).abs().max())


def kernel_row(name: str, K: Tensor) -> dict[str, Any]:
    """A kernel, and how strongly it answers to stripes that stand and that lie."""
    rows = [" ".join(map(short, row)) for row in K.tolist()]
    return {
        "kernel": name,
        "numbers": " / ".join(rows),
        "sum": round(float(K.sum()), 6),
        "standing stripes": strongest(stripes(), K),
        "lying stripes": strongest(stripes().T, K),
        "a white area": strongest(torch.ones(6, 8), K),
    }


@lab("kernel-learning", section="7.2.4")
def kernel_learning(
    lr: Annotated[float, Bounds(0, 0.1, above=True)] = 0.03,
    steps: Annotated[int, Bounds(1, 100, whole=True)] = 10,
    seed: Whole = 0,
    strict: bool = False,
) -> Report:
    """A kernel learnt from an image and its edges; its way over the loss, and where that ends.

    Args:
        lr: the learning rate; from 1/30 on the loss grows.
        steps: how many steps of gradient descent.
        seed: of the first kernel.
        strict: learn with a convolution in the strict sense, which flips the kernel.
    """
    operation, best = (convolve2d, EDGE.flip(1)) if strict else (corr2d, EDGE)
    learnt = learn_kernel(lr, steps, first_kernel(seed), operation)
    law = predicted_losses(lr, steps, learnt.kernels[0], best.double())
    curvature = torch.linalg.eigvalsh(hessian())
    rows = [
        {"step": step, "loss": loss, "by its law": lawful, "k1": k1, "k2": k2}
        for step, (loss, lawful, (k1, k2)) in enumerate(
            zip(learnt.losses, law.tolist(), learnt.kernels[:, 0].tolist(), strict=True)
        )
    ]
    factors = ((1 - lr * curvature) ** 2).tolist()
    return Report(
        numbers={
            "kernel": learnt.kernels[-1, 0].tolist(),
            "last loss": learnt.losses[-1],
            "farthest weight": float((learnt.kernels[-1] - best).abs().max()),
            "curvatures": curvature.tolist(),
            "stable below": step_limit(),
            "loss of each direction, a step": factors,
        },
        tables={"steps": rows},
        figures={"path": path_figure(learnt, best.double(), law)},
        notes=kernel_notes(lr, strict, factors),
    )


def kernel_notes(lr: float, strict: bool, factors: list[float]) -> list[str]:
    """What the numbers mean."""
    small, large = (f"{factor:.4g}" for factor in factors)
    told = [
        "The loss is a paraboloid: a step multiplies its part along (1, −1) by "
        f"{small}, and that along (1, 1) by {large}."
    ]
    if lr >= step_limit():
        told.append(
            f"At lr = {lr:g} the loss does not fall: it does only below {step_limit():.4g}."
        )
    if strict:
        told.append(
            "A strict convolution flips the kernel, so it learns the flipped one, (−1, 1): its "
            "outputs are those of a cross-correlation with (1, −1)."
        )
    return told
