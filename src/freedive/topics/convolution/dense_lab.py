"""An experiment that turns a dense layer into a convolution (section 7.1)."""

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from torch import Tensor

from freedive.catalog import lab
from freedive.core.hyperparameters import Bounds, Whole
from freedive.core.random import generator
from freedive.core.report import Report
from freedive.data.garments import CLASSES, draw_garments
from freedive.topics.convolution.dense import by_offset, counts, dense_layer, local, shifted
from freedive.topics.convolution.dense_figures import counts_figure, shift_figure, weights_figure
from freedive.topics.convolution.scratch import conv2d

MARGIN = 4  # black pixels around the picture: it moves no farther
Shift = Annotated[int, Bounds(-MARGIN, MARGIN, whole=True)]
PHOTO = 1000  # the book's image has so many pixels a side


@lab("dense-to-conv", section="7.1")
def dense_to_conv(
    n: Annotated[int, Bounds(16, 24, whole=True)] = 16,
    delta: Annotated[int, Bounds(0, 8, whole=True)] = 1,
    down: Shift = 2,
    right: Shift = 3,
    seed: Whole = 0,
) -> Report:
    """A dense layer on images, restricted by equivariance and locality to a convolution.

    Args:
        n: height and width of the image and of the layer's output.
        delta: Δ, how many pixels away an output sees under locality.
        down: rows by which the image is moved.
        right: columns by which the image is moved.
        seed: of all weights and of the picture.
    """
    X = picture(n, seed)
    kernel, weights = restricted(n, delta, seed)
    moved = shifted(X, down, right)
    outputs = {name: (dense_layer(W, X), dense_layer(W, moved)) for name, W in weights.items()}
    gaps = {name: away(*both, down, right) for name, both in outputs.items()}
    last, _ = outputs["local"]
    by_conv = conv2d(X[None, None], kernel[None, None], padding=delta)[0, 0]
    here, photo = counts(n, delta), counts(PHOTO, delta)
    return Report(
        numbers={
            "difference from a convolution": float((last - by_conv).abs().max()),
            f"weights saved by equivariance at {PHOTO} × {PHOTO}": photo[0] / photo[1],
            f"weights saved by locality at {PHOTO} × {PHOTO}": photo[1] / photo[2],
        },
        tables={"what each restriction leaves": table(n, delta, gaps)},
        figures={
            "weights": weights_figure(weights),
            "counts": counts_figure(list(weights), {n: here, PHOTO: photo}),
            "shift": shift_figure(X, moved, outputs),
        },
        notes=[
            "A row of W holds the weights of one output pixel. Equivariance makes all rows the "
            "same weights, moved; locality leaves a band of them.",
            "Moving the image moves the output of the last two layers, and nothing else happens: "
            "this is equivariance. An invariant output would not change at all.",
            f"With Δ = {delta} the last layer is a convolution with a kernel of "
            f"{2 * delta + 1} × {2 * delta + 1}, padded by {delta} on each side.",
        ],
    )


def picture(n: int, seed: int) -> Tensor:
    """A small coat in the middle of black."""
    coat = draw_garments(torch.tensor([CLASSES.index("coat")]), n - 2 * MARGIN, seed)[0, 0]
    return torch.constant_pad_nd(coat / 255, (MARGIN,) * 4).double()


def restricted(n: int, delta: int, seed: int) -> tuple[Tensor, Mapping[str, Tensor]]:
    """A kernel, and the weights of three layers, of which the last is its convolution."""
    chance = generator(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=chance, dtype=torch.float64)

    kernel = normal(2 * delta + 1, 2 * delta + 1)
    return kernel, {
        "dense": normal(n, n, n, n),
        "equivariant": by_offset(normal(2 * n - 1, 2 * n - 1)),
        "local": by_offset(local(kernel, n)),
    }


def away(before: Tensor, after: Tensor, down: int, right: int) -> float:
    """How far an output is from the earlier one moved, where that had a number to move."""
    inside = shifted(torch.ones_like(before), down, right)
    return float(((after - shifted(before, down, right)) * inside).abs().max())


def table(n: int, delta: int, gaps: Mapping[str, float]) -> list[dict[str, Any]]:
    """The layers side by side."""
    formulas = ("w_ijkl", "v_(k−i)(l−j)", f"v_ab, |a| and |b| up to {delta}")
    return [
        {
            "layer": name,
            "weights": formula,
            f"at {n} × {n}": here,
            f"at {PHOTO} × {PHOTO}": photo,
            "away from the moved output": gap,
        }
        for (name, gap), formula, here, photo in zip(
            gaps.items(), formulas, counts(n, delta), counts(PHOTO, delta), strict=True
        )
    ]
