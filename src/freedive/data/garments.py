"""garments: ten classes of clothes drawn by code, a synthetic stand-in for Fashion-MNIST."""

import torch
from jaxtyping import Float, Int, Int64, UInt8
from torch import Tensor

from freedive.core.errors import UsageError
from freedive.core.random import generator
from freedive.data.garment_shapes import SILHOUETTES, Canvas, Dice, Pixels, box, ripple

VERSION = "garments-1"  # goes into cache keys: changes whenever a drawn byte does
CLASSES = (
    "t-shirt", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
SMALLEST = 8  # pixels a side below which no garment can be told from another

_DIALS = 80  # random numbers an example: the most that a silhouette asks for
_PIXELS = 2**15  # a chunk stays in the cache, and below the size that torch shares out to threads
_GRAINS = 2**18


def garment_labels(n: int, seed: int = 0) -> Int64[Tensor, "n"]:
    """Shuffled labels in which every class is there equally often, give or take one."""
    if n < 0:
        raise UsageError(f"garments can be drawn in no negative number, got n={n}: pass n >= 0")
    return torch.randperm(n, generator=generator(seed, 1)) % len(CLASSES)


def draw_garments(
    labels: Int[Tensor, "n"], size: int = 28, seed: int = 0
) -> UInt8[Tensor, "n 1 {size} {size}"]:
    """Grey pictures, white on black, of the classes asked for.

    Picture i depends on the seed, i and labels[i] only; a larger size draws the same garment finer.
    """
    _check(labels, size)
    labels = labels.cpu()
    pictures = torch.empty(len(labels), 1, size, size, dtype=torch.uint8)
    dials = torch.rand(len(labels), _DIALS, generator=generator(seed, 2))
    grain = torch.rand(_GRAINS + size * size, generator=generator(seed, 3)).sub_(0.5)
    for label in range(len(CLASSES)):
        of_class = (labels == label).nonzero()[:, 0]
        for rows in torch.split(of_class, max(1, _PIXELS // size**2)):
            pictures[rows, 0] = _draw(label, dials[rows], grain, size)
    return pictures


def _check(labels: Int[Tensor, "n"], size: int) -> None:
    if size < SMALLEST:
        raise UsageError(f"garments want a size of at least {SMALLEST} pixels, got {size}")
    if labels.ndim != 1 or labels.is_floating_point():
        given = f"{str(labels.dtype).removeprefix('torch.')} of shape {tuple(labels.shape)}"
        raise UsageError(f"labels want to be one row of integers, got {given}")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(CLASSES):
        wrong = labels[(labels < 0) | (labels >= len(CLASSES))][0]
        raise UsageError(f"labels want to be 0 to {len(CLASSES) - 1}, got {int(wrong)}")


def _draw(
    label: int, dials: Float[Tensor, "n dials"], grain: Float[Tensor, "grains"], size: int
) -> UInt8[Tensor, "n {size} {size}"]:
    """The pictures of one class."""
    dice = Dice(dials)
    start = dice.between(0, _GRAINS - 1).long().flatten()
    x, y = _place(dice, size)
    canvas = Canvas(x, y, _fabric(x, y, dice), size / 2)
    SILHOUETTES[label](canvas, dice)
    noise = grain.unfold(0, size * size, 1)[start].view_as(x)
    bright = canvas.tone.mul_(noise.mul_(0.25).add_(1)).clamp_(0, 1)
    return bright.mul_(255).add_(0.5).to(torch.uint8)


def _place(dice: Dice, size: int) -> tuple[Pixels, Pixels]:
    """Where each pixel lies on the garment: the picture's grid moved, turned, sheared and bent."""
    centres = (torch.arange(size) + 0.5) * (2 / size) - 1
    x = centres.view(1, 1, -1) - dice.between(-0.1, 0.1)
    y = centres.view(1, -1, 1) - dice.between(-0.08, 0.08)
    half = dice.between(-0.06, 0.06)  # the tangent of half the angle: no sine is needed
    sine, cosine = 2 * half / (1 + half * half), (1 - half * half) / (1 + half * half)
    shear = dice.between(-0.08, 0.08)
    across, down = dice.between(0.95, 1.15), dice.between(0.95, 1.12)
    mirror = 1 - 2 * dice.chance(0.5)
    turned_x = (x * (cosine / across)) + (y * ((sine + shear) / across))
    turned_y = (y * (cosine / down)) - (x * (sine / down))
    bend = dice.between(-0.08, 0.08)
    turned_x.add_(_wave(turned_y * dice.between(0.3, 0.7) + dice.between(0, 1)).mul_(bend))
    return turned_x.mul_(mirror), turned_y


def _wave(t: Pixels) -> Pixels:
    """A triangle wave of period 1 between -1 and 1."""
    return ripple(t).mul_(4).sub_(1)


def _fabric(x: Pixels, y: Pixels, dice: Dice) -> Pixels:
    """The brightness of the cloth: plain, striped, checked or printed, creased and lit."""
    base = dice.between(0.45, 0.95)
    slant = dice.either(0.3, dice.between(-1, 1), dice.either(0.5, 0.0, 1.0))
    along = (1 - slant * slant).clamp(min=0).sqrt()
    hard = dice.between(1, 4)
    warp = _wave((x * slant + y * along) * dice.between(1, 4) + dice.between(0, 1))
    weft = _wave((x * along - y * slant) * dice.between(1, 4) + dice.between(0, 1))
    stripes, checks = dice.chance(0.45), dice.chance(0.35)
    depth = dice.between(0.1, 0.5) * stripes
    cloth = (warp * hard).clamp_(-1, 1).mul_(depth)
    cloth.add_((weft * hard).clamp_(-1, 1).mul_(depth * checks))
    crease = _wave(x * dice.between(-2, 2) + y * dice.between(-1.5, 1.5) + dice.between(0, 1))
    cloth.add_(crease.mul_(dice.between(0.0, 0.2)))
    cloth.add_(x * dice.between(-0.2, 0.2)).add_(y * dice.between(-0.2, 0.2)).add_(1).mul_(base)
    spot_x, spot_y = x - dice.between(-0.2, 0.2), y - dice.between(-0.4, 0.3)
    patch = box(spot_x, spot_y, dice.between(0.1, 0.3), dice.between(0.08, 0.3))
    ink = dice.between(-0.7, 0.7) * dice.chance(0.35)
    cloth.add_((patch * -12).clamp_(0, 1).mul_(ink))
    return cloth.clamp_(0.08, 1.0)
