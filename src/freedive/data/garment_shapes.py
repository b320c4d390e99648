"""The ten silhouettes of garments, in continuous coordinates: x to the right, y down, -1 to 1.

A silhouette paints parts onto a canvas; a part is a signed distance, negative inside. Pixels see
only operations that IEEE 754 rounds exactly, so no byte depends on the machine or its threads.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

Pixels = Float[Tensor, "n height width"]
Dial = Float[Tensor, "n 1 1"]  # one number an example
Number = Dial | float | int
Point = tuple[Number, Number]


class Dice:
    """The random numbers of some examples, handed out one column at a time."""

    def __init__(self, columns: Float[Tensor, "n dials"]) -> None:
        self.columns = iter(columns.unbind(1))

    def between(self, low: Number, high: Number) -> Dial:
        """A number for each example, evenly between two bounds."""
        return low + (high - low) * next(self.columns).view(-1, 1, 1)

    def chance(self, probability: float) -> Dial:
        """One for a share of the examples, zero for the others."""
        return (next(self.columns) < probability).float().view(-1, 1, 1)

    def either(self, probability: float, yes: Number, no: Number) -> Dial:
        """One value for a share of the examples, another for the rest."""
        return no + (yes - no) * self.chance(probability)


class Canvas:
    """Pictures in the making: where each pixel lies and how bright it is so far."""

    def __init__(self, x: Pixels, y: Pixels, fabric: Pixels, sharpness: float) -> None:
        self.x, self.y, self.side = x, y, x.abs()
        self.fabric, self.sharpness = fabric, sharpness  # pixels a unit: edges are a pixel wide
        self.tone = torch.zeros_like(x)

    def paint(self, distance: Pixels, tone: Pixels | Number, opacity: Number = 1.0) -> None:
        """Cover the inside of a part with a tone."""
        cover = (distance * -self.sharpness).add_(0.5).clamp_(0, 1).mul_(opacity)
        self.tone.add_(cover.mul_(tone - self.tone))

    def cloth(self, distance: Pixels, shade: Number = 1.0, seen: Number = 1.0) -> None:
        """Cover the inside of a part with the fabric, darker towards its edge."""
        fold = (distance * 8).add_(1).clamp_(0, 1).mul_(-0.35).add_(1)
        self.paint(distance, fold.mul_(self.fabric).mul_(shade), seen)

    def mark(self, distance: Pixels, factor: Number) -> None:
        """Darken or lighten what is already painted inside a part."""
        self.paint(distance, (self.tone * factor).clamp_(max=1.0))


def profile(t: Pixels, *knots: Point) -> Pixels:
    """The piecewise linear function of t through some (place, value) pairs, flat outside them."""
    value = torch.zeros_like(t).add_(knots[0][1])
    for (start, low), (stop, high) in pairwise(knots):
        length = torch.as_tensor(stop - start)
        value.add_((t - start).clamp_(torch.zeros_like(length), length).mul_((high - low) / length))
    return value


def band(t: Pixels, low: Pixels | Number, high: Pixels | Number) -> Pixels:
    """The strip where t lies between two bounds."""
    return torch.maximum(low - t, t - high)


def box(x: Pixels, y: Pixels, width: Number, height: Number) -> Pixels:
    """A rectangle about the origin, by its half sides."""
    return torch.maximum(x.abs().sub_(width), y.abs().sub_(height))


def ellipse(x: Pixels, y: Pixels, width: Number, height: Number) -> Pixels:
    """An ellipse about the origin, by its half axes; the distance holds near its edge."""
    across, down = x / width, y / height
    return across.mul_(across).add_(down.mul_(down)).sub_(1).mul_((width + height) / 4)


def bar(x: Pixels, y: Pixels, start: Point, stop: Point, wide: Number, end: Number) -> Pixels:
    """A bar with square ends from one point to another, by its half width at either end."""
    dx, dy = stop[0] - start[0], stop[1] - start[1]
    length = torch.as_tensor(dx * dx + dy * dy).sqrt()
    dx, dy = dx / length, dy / length
    px, py = x - start[0], y - start[1]
    along, across = px * dx + py * dy, (px * dy).sub_(py * dx).abs_()
    taper = along * ((end - wide) / length)
    return torch.maximum(band(along, 0.0, length), across.sub_(taper).sub_(wide))


def ripple(t: Pixels) -> Pixels:
    """A triangle wave of period 1 between 0 and a half."""
    return (t + 64).frac_().sub_(0.5).abs_()  # 64 periods on, no t is below zero


def _top(canvas: Canvas, dice: Dice, hem: Number, sleeve: Number) -> Pixels:
    """A torso with two sleeves and a neckline, which four of the classes share: gives the torso."""
    x, y, side = canvas.x, canvas.y, canvas.side
    width, flare = dice.between(0.45, 0.59), dice.between(-0.05, 0.08)
    shoulder, slope = dice.between(-0.84, -0.76), dice.between(0.2, 0.45)
    girth, spread = dice.between(0.14, 0.2), dice.between(0.08, 0.42) * (0.4 + 0.6 * sleeve)
    start = (width - girth * 0.7, shoulder + slope * width + girth * 0.5)
    stop = (width + spread, start[1] + 0.12 + sleeve)
    arm = bar(side, y, start, stop, girth, girth * dice.between(0.55, 0.95))
    canvas.cloth(arm, dice.either(0.5, dice.between(0.3, 0.6), dice.between(0.8, 1.1)))
    half = profile(y, (-0.5, width), (0.1, width * dice.between(0.85, 1.05)), (hem, width + flare))
    body = torch.maximum(side - half, torch.maximum(y - hem, side * slope + shoulder - y))
    canvas.cloth(body)
    neck, depth = dice.between(0.14, 0.26), dice.between(0.08, 0.24)
    pointed = side + (y - shoulder) * (neck / (depth * 1.8)) - neck
    rounded = ellipse(x, y - shoulder - 0.02, neck, depth)
    collar = torch.where(dice.chance(0.3) > 0, pointed, rounded)
    canvas.mark(torch.maximum(collar - 0.07, body), dice.between(0.65, 1.3))
    canvas.paint(collar, 0.0)
    back = torch.maximum(collar, shoulder + 0.03 - y)
    canvas.paint(back, dice.between(0.05, 0.35), dice.chance(0.5))
    return body


def _block(canvas: Canvas, dice: Dice, part: Pixels, seen: float) -> None:
    """A part of the cloth in another colour, darker or lighter by chance."""
    tone = dice.either(0.5, dice.between(0.3, 0.7), dice.between(1.3, 1.8))
    canvas.paint(part, (canvas.tone * tone).clamp_(max=1.0), dice.chance(seen))


def _front(canvas: Canvas, dice: Dice, on: Pixels, gap: Number, seen: float, row: float) -> None:
    """The line where a garment opens, with or without a row of buttons."""
    x, y = canvas.x - dice.between(-0.03, 0.03), canvas.y
    _block(canvas, dice, torch.maximum(x.abs() - gap, on), seen)
    step = dice.between(0.2, 0.34)
    buttons = torch.maximum(ellipse(x - 0.03, ripple(y / step).mul_(step), 0.05, 0.05), on)
    canvas.paint(buttons, dice.either(0.5, 0.1, 1.0), dice.chance(row))


def _lapels(canvas: Canvas, dice: Dice, depth: Number, width: Number, seen: float) -> None:
    """Two flaps beside the neck: a collar when short, lapels when long."""
    top = dice.between(-0.84, -0.78)
    flap = bar(canvas.side, canvas.y, (0.22, top), (0.03, top + depth), width, 0.04)
    tone = dice.either(0.5, dice.between(0.2, 0.7), dice.between(1.3, 1.9))
    canvas.paint(flap, (canvas.fabric * tone).clamp_(max=1.0), dice.chance(seen))


def t_shirt(canvas: Canvas, dice: Dice) -> None:
    """Short sleeves, an open neck, seldom a buttoned one."""
    sleeve = dice.either(0.06, dice.between(0.5, 1.05), dice.between(0.05, 0.28))
    body = _top(canvas, dice, dice.between(0.55, 0.85), sleeve)
    _front(canvas, dice, body, 0.03, 0.05, 0.04)


def trouser(canvas: Canvas, dice: Dice) -> None:
    """Two legs below a waistband, together or apart."""
    y, side = canvas.y, canvas.side
    top, hem = dice.between(-0.92, -0.8), dice.either(0.1, 0.25, dice.between(0.75, 0.95))
    hip, leg = dice.between(0.3, 0.42), dice.between(0.11, 0.24)
    crotch, apart = dice.between(-0.4, -0.15), dice.between(0.14, 0.34)
    middle = profile(y, (crotch, hip * 0.5), (hem, apart))
    half = profile(y, (top, hip * 0.45), (crotch, hip * 0.52), (hem, leg))
    legs = torch.maximum((side - middle).abs_() - half, band(y, top, hem))
    hips = torch.maximum(side - profile(y, (top, hip * 0.9), (crotch, hip)), band(y, top, crotch))
    canvas.cloth(torch.minimum(legs, hips))
    canvas.mark(band(y, top - 0.1, top + 0.1), dice.between(0.6, 1.2))
    canvas.mark(box(canvas.x, y - crotch + 0.3, 0.025, 0.3), dice.between(0.5, 1.0))


def pullover(canvas: Canvas, dice: Dice) -> None:
    """Long sleeves, a closed front, ribbed edges."""
    hem = dice.between(0.5, 0.82)
    sleeve = dice.either(0.04, dice.between(0.1, 0.4), dice.between(0.75, 1.25))
    body = _top(canvas, dice, hem, sleeve)
    _block(canvas, dice, hem - dice.between(0.1, 0.2) - canvas.y, 0.5)
    chest = dice.between(-0.4, -0.1)
    _block(canvas, dice, band(canvas.y, chest, chest + dice.between(0.25, 0.4)), 0.7)
    _lapels(canvas, dice, 0.2, 0.1, 0.06)
    _front(canvas, dice, body, 0.03, 0.06, 0.03)


def dress(canvas: Canvas, dice: Dice) -> None:
    """A narrow waist above a skirt that may flare, with straps or sleeves."""
    y, side = canvas.y, canvas.side
    sleeve = dice.either(0.25, dice.between(0.4, 0.9), dice.between(0.0, 0.2))
    width, shoulder = dice.between(0.26, 0.42), dice.between(-0.92, -0.8)
    start = (width - 0.08, shoulder + 0.14)
    arm = bar(side, y, start, (width + 0.12 + sleeve * 0.15, shoulder + 0.3 + sleeve), 0.1, 0.08)
    canvas.cloth(arm, 1.0, dice.chance(0.4))
    waist, hem, depth = dice.between(-0.25, 0.1), dice.between(0.7, 0.95), dice.between(0.1, 0.35)
    skirt = width + dice.either(0.5, dice.between(0.1, 0.35), dice.between(-0.08, 0.1))
    half = profile(y, (shoulder, width * 0.8), (-0.5, width), (waist, width * 0.8), (hem, skirt))
    canvas.cloth(torch.maximum(side - half, band(y, shoulder, hem + (side - 0.2) * 0.1)))
    canvas.paint(ellipse(canvas.x, y - shoulder, dice.between(0.1, 0.2), depth), 0.0)
    canvas.mark(band(y, waist - 0.05, waist + 0.05), dice.either(0.5, dice.between(0.4, 0.8), 1.0))


def coat(canvas: Canvas, dice: Dice) -> None:
    """Long sleeves, a long body that opens in front, lapels."""
    body = _top(canvas, dice, dice.between(0.65, 0.97), dice.between(0.85, 1.3))
    _lapels(canvas, dice, dice.between(0.35, 0.65), 0.12, 0.8)
    _front(canvas, dice, body, dice.between(0.06, 0.16), 0.95, 0.3)
    _block(canvas, dice, torch.maximum(band(canvas.y, 0.0, 0.12), body), 0.2)
    pocket = box(canvas.side - 0.32, canvas.y - 0.36, 0.12, dice.between(0.05, 0.12))
    _block(canvas, dice, torch.maximum(pocket, body), 0.5)


def sandal(canvas: Canvas, dice: Dice) -> None:
    """A sole, flat or on a heel, and a few straps with nothing between them."""
    x, y = canvas.x, canvas.y
    lift = dice.either(0.4, dice.between(0.2, 0.6), dice.between(0.0, 0.12))
    ground, thick = dice.between(0.1, 0.8), dice.between(0.05, 0.1)
    bed = ground - profile(x, (-0.4, 0.0), (0.5, lift)) - thick
    wedge = torch.maximum(band(x, -0.35, 0.8), band(y, bed, ground))
    post = bar(x, y, (0.72, ground - lift), (0.68, ground), dice.between(0.06, 0.14), 0.05)
    canvas.cloth(torch.where(dice.chance(0.4) > 0, wedge, post), dice.between(0.5, 1.0))
    arch, ankle = dice.between(0.2, 0.4), dice.between(0.35, 0.75)
    top = bed - profile(x, (-0.75, 0.12), (-0.2, arch), (0.3, ankle), (0.8, ankle))
    foot = torch.maximum(band(x, dice.between(-0.85, -0.6), 0.78), band(y, top, bed))
    slant, step = dice.between(0.1, 0.9), dice.between(0.3, 0.6)
    weave = ripple((x + y * slant) / step + dice.between(0, 1))
    straps = torch.maximum(foot, (weave - dice.between(0.1, 0.36)).mul_(step))
    canvas.cloth(straps, dice.between(0.8, 1.3))
    cuff = torch.maximum(foot, torch.maximum(y - top - dice.between(0.06, 0.16), 0.1 - x))
    canvas.cloth(cuff, dice.between(0.8, 1.3), dice.chance(0.6))
    canvas.cloth(torch.maximum(foot, 0.64 - x), dice.between(0.8, 1.3), dice.chance(0.6))
    sole = torch.maximum(band(x, -0.88, 0.82), band(y, bed - thick, bed + thick))
    canvas.cloth(sole, dice.between(0.7, 1.3))


def shirt(canvas: Canvas, dice: Dice) -> None:
    """A collar and a row of buttons, where they can be seen; sleeves of any length."""
    sleeve = dice.either(0.7, dice.between(0.7, 1.2), dice.between(0.05, 0.35))
    body = _top(canvas, dice, dice.between(0.55, 0.9), sleeve)
    _lapels(canvas, dice, 0.2, 0.1, 0.8)
    _front(canvas, dice, body, dice.between(0.02, 0.05), 0.72, 0.75)
    pocket = box(canvas.x - 0.2, canvas.y + 0.2, 0.1, 0.1).abs_().sub_(0.02)
    _block(canvas, dice, pocket, 0.35)


def _shoe(canvas: Canvas, dice: Dice, collar: Number, ankle: Number, heel: Number) -> None:
    """A sole below an upper that rises from the toe to the ankle."""
    x, y = canvas.x, canvas.y
    ground, thick = dice.between(0.1, 0.8), dice.between(0.05, 0.14)
    toe, vamp = dice.between(0.2, 0.4), dice.between(-0.35, -0.1)
    back, crest = dice.between(0.68, 0.84), vamp + dice.between(0.15, 0.4)
    height = profile(
        x, (-0.88, toe * 0.5), (-0.7, toe), (vamp, toe + 0.1), (crest, collar),
        ((crest + back) / 2, collar - ankle), (back, collar),
    )  # fmt: skip
    rise = y - ground + heel * profile(x, (-0.4, 0.0), (0.4, 1.0))
    upper = torch.maximum(band(x, -0.88, back), band(rise, -height, 0.0))
    canvas.cloth(upper)
    tongue = bar(x, rise, (vamp, -0.1 - toe), (crest, -collar), 0.07, 0.07)
    canvas.mark(torch.maximum(tongue, upper), dice.between(0.5, 1.4))
    laces = torch.maximum(torch.maximum(tongue - 0.03, upper), ripple(y * 7).mul_(0.14) - 0.03)
    canvas.paint(laces, dice.either(0.5, 0.1, 1.0), dice.chance(0.5) * dice.between(0.4, 1.0))
    slab = torch.maximum(band(x, -0.92, back + 0.04), band(rise, 0.0, thick))
    block = torch.maximum(band(x, back - 0.35, back), torch.maximum(-rise, y - ground - thick))
    canvas.paint(torch.minimum(slab, block), dice.either(0.5, dice.between(0.2, 0.5), 0.85))
    swoosh = bar(x, rise, (-0.3, -0.1), (dice.between(0.1, 0.6), -0.3), 0.06, 0.03)
    canvas.mark(torch.maximum(swoosh, upper), dice.either(0.5, dice.between(0.2, 1.8), 1.0))


def sneaker(canvas: Canvas, dice: Dice) -> None:
    """A low shoe on a flat sole."""
    collar = dice.either(0.12, dice.between(0.7, 0.95), dice.between(0.42, 0.68))
    _shoe(canvas, dice, collar, dice.between(0.0, 0.2), 0.0)


def bag(canvas: Canvas, dice: Dice) -> None:
    """A box with a flap, a clasp and a handle."""
    x, y, side = canvas.x, canvas.y, canvas.side
    top, bottom = dice.between(-0.6, 0.2), dice.between(0.4, 0.9)
    upper, lower = dice.between(0.45, 0.85), dice.between(0.5, 0.9)
    reach, grip = dice.between(0.25, 0.5), dice.between(0.25, 0.5)
    handle = ellipse(x, y - top, upper * grip * 2, reach).abs_() - dice.between(0.03, 0.07)
    canvas.cloth(handle, dice.between(0.8, 1.3), dice.chance(0.75))
    half = profile(y, (top, upper), (bottom, lower))
    canvas.cloth(torch.maximum(side - half, band(y, top, bottom)))
    flap = y - dice.between(0.1, 0.4) + side * dice.between(0.0, 0.3)
    canvas.mark(flap, dice.either(0.6, dice.between(0.6, 1.3), 1.0))
    clasp = box(x, y - dice.between(0.0, 0.3), dice.between(0.04, 0.12), 0.06)
    canvas.paint(clasp, dice.either(0.5, 0.1, 1.0), dice.chance(0.6))


def ankle_boot(canvas: Canvas, dice: Dice) -> None:
    """A shoe with a shaft above the ankle, often on a heel."""
    collar = dice.either(0.1, dice.between(0.6, 0.85), dice.between(0.85, 1.3))
    heel = dice.either(0.5, dice.between(0.08, 0.3), 0.0)
    _shoe(canvas, dice, collar, dice.between(-0.05, 0.1), heel)


SILHOUETTES: tuple[Callable[[Canvas, Dice], None], ...] = (
    t_shirt, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle_boot,
)  # fmt: skip
